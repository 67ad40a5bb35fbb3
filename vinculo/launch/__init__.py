"""Starts and supervises what an installation on one machine consists of: Prefect's server, a worker, the web app."""

from vinculo.launch.installation import Installation, free_port, port_is_free
from vinculo.launch.process import Service, Supervisor, bound_to_parent

__all__ = ["Installation", "Service", "Supervisor", "bound_to_parent", "free_port", "port_is_free"]
