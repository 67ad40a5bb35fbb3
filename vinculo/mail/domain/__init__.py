"""What the name system says of a sender's domain: SPF, DKIM, DMARC, MX."""

from vinculo.mail.domain.alignment import aligned, organisation
from vinculo.mail.domain.identity import Identity, check_identity
from vinculo.mail.domain.resolver import Ask, Resolver, Unanswered

__all__ = ["Ask", "Identity", "Resolver", "Unanswered", "aligned", "check_identity", "organisation"]
