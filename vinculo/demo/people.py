"""Names, towns and tongues of the demo company's people. Invented combinations; nobody is meant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class City:
    """A town, how many of its country's contacts live there (a weight), and the beginning of its phone numbers."""

    name: str
    region: str
    zone: str
    weight: int
    phone: str


@dataclass(frozen=True, slots=True)
class Country:
    """Where a share of the contacts lives, and which tongues they read, by weight."""

    code: str
    share: float
    tongues: dict[str, int]
    domains: tuple[str, ...]
    cities: tuple[City, ...]
    #: How many digits follow the beginning of a phone number.
    digits: int


_SP = "America/Sao_Paulo"
_AR = "America/Argentina/"
_NY = "America/New_York"

#: Phones are valid in form and ring nowhere: 9 0000-xxxx in Brazil, 555-01xx in the US, zeros elsewhere.
BRAZIL = Country(
    "BR",
    0.62,
    {"pt": 98, "en": 2},
    ("correio.example", "caixa.example", "recado.example", "casa.example"),
    (
        City("São Paulo", "SP", _SP, 30, "+551190000"),
        City("Guarulhos", "SP", _SP, 3, "+551190000"),
        City("Osasco", "SP", _SP, 2, "+551190000"),
        City("Santo André", "SP", _SP, 3, "+551190000"),
        City("São Bernardo do Campo", "SP", _SP, 3, "+551190000"),
        City("Campinas", "SP", _SP, 5, "+551990000"),
        City("Ribeirão Preto", "SP", _SP, 3, "+551690000"),
        City("Rio de Janeiro", "RJ", _SP, 12, "+552190000"),
        City("Niterói", "RJ", _SP, 2, "+552190000"),
        City("Belo Horizonte", "MG", _SP, 9, "+553190000"),
        City("Juiz de Fora", "MG", _SP, 2, "+553290000"),
        City("Curitiba", "PR", _SP, 6, "+554190000"),
        City("Florianópolis", "SC", _SP, 3, "+554890000"),
        City("Porto Alegre", "RS", _SP, 5, "+555190000"),
        City("Brasília", "DF", _SP, 4, "+556190000"),
        City("Salvador", "BA", "America/Bahia", 4, "+557190000"),
        City("Recife", "PE", "America/Recife", 4, "+558190000"),
        City("Fortaleza", "CE", "America/Fortaleza", 3, "+558590000"),
        City("Belém", "PA", "America/Belem", 1, "+559190000"),
        City("Manaus", "AM", "America/Manaus", 1, "+559290000"),
        City("Cuiabá", "MT", "America/Cuiaba", 1, "+556590000"),
    ),
    4,
)
PORTUGAL = Country(
    "PT",
    0.16,
    {"pt": 93, "en": 7},
    ("correio.example", "carta.example", "caixa.example"),
    (
        City("Lisboa", "Lisboa", "Europe/Lisbon", 40, "+3519200"),
        City("Porto", "Porto", "Europe/Lisbon", 26, "+3519200"),
        City("Braga", "Braga", "Europe/Lisbon", 8, "+3519200"),
        City("Coimbra", "Coimbra", "Europe/Lisbon", 8, "+3519200"),
        City("Aveiro", "Aveiro", "Europe/Lisbon", 5, "+3519200"),
        City("Faro", "Faro", "Europe/Lisbon", 4, "+3519200"),
        City("Funchal", "Madeira", "Atlantic/Madeira", 3, "+3519200"),
        City("Ponta Delgada", "Açores", "Atlantic/Azores", 2, "+3519200"),
    ),
    5,
)
ARGENTINA = Country(
    "AR",
    0.12,
    {"es": 96, "en": 4},
    ("correo.example", "carta.example", "buzon.example"),
    (
        City("Buenos Aires", "CABA", _AR + "Buenos_Aires", 48, "+549110000"),
        City("La Plata", "Buenos Aires", _AR + "Buenos_Aires", 8, "+549110000"),
        City("Córdoba", "Córdoba", _AR + "Cordoba", 14, "+549110000"),
        City("Rosario", "Santa Fe", _AR + "Cordoba", 13, "+549110000"),
        City("Mendoza", "Mendoza", _AR + "Mendoza", 8, "+549110000"),
    ),
    4,
)
UNITED_STATES = Country(
    "US",
    0.10,
    {"en": 60, "pt": 22, "es": 18},
    ("inbox.example", "letter.example", "mail.example"),
    (
        City("New York", "NY", _NY, 22, "+121255501"),
        City("Newark", "NJ", _NY, 12, "+197355501"),
        City("Boston", "MA", _NY, 12, "+161755501"),
        City("Somerville", "MA", _NY, 6, "+185755501"),
        City("Miami", "FL", _NY, 16, "+130555501"),
        City("Orlando", "FL", _NY, 8, "+140755501"),
        City("Austin", "TX", "America/Chicago", 7, "+151255501"),
        City("Chicago", "IL", "America/Chicago", 6, "+131255501"),
        City("Denver", "CO", "America/Denver", 3, "+130355501"),
        City("San Francisco", "CA", "America/Los_Angeles", 8, "+141555501"),
    ),
    2,
)
COUNTRIES = (BRAZIL, PORTUGAL, ARGENTINA, UNITED_STATES)


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


GIVEN = {
    "pt": _names(
        "Ana Beatriz Camila Carolina Cecília Clara Débora Eduarda Elisa Fernanda Gabriela Helena Inês Isabela Joana "
        "Júlia Larissa Letícia Luana Luísa Mariana Marta Natália Patrícia Rafaela Renata Sílvia Sofia Tatiana Teresa "
        "Vanessa Vitória Yara André Antônio Bernardo Bruno Caio Carlos Daniel Diego Eduardo Felipe Fernando Gabriel "
        "Guilherme Gustavo Heitor Henrique Hugo Ícaro João José Leonardo Lucas Luiz Marcelo Mateus Miguel Otávio Paulo "
        "Pedro Rafael Ricardo Rodrigo Rui Samuel Thiago Tomás Vinícius"
    ),
    "es": _names(
        "Abril Agustina Alma Belén Camila Candela Carla Catalina Constanza Delfina Eugenia Florencia Guadalupe Inés "
        "Josefina Julieta Laura Lucía Magdalena Malena Martina Micaela Milagros Paula Pilar Rocío Silvina Valentina "
        "Agustín Alejandro Andrés Bautista Ciro Damián Diego Emiliano Esteban Facundo Federico Franco Gonzalo Hernán "
        "Ignacio Joaquín Juan Julián Lautaro Leandro Luciano Marcos Martín Matías Nicolás Pablo Ramiro Santiago "
        "Sebastián Tomás"
    ),
    "en": _names(
        "Abigail Alice Amy Audrey Beth Carol Charlotte Claire Diane Eleanor Ellen Emily Erin Grace Hannah Heather "
        "Jane Julia Karen Kate Laura Leah Lydia Margaret Molly Nina Olivia Paige Rachel Rebecca Ruth Sarah Susan "
        "Aaron Adam Alan Andrew Benjamin Brian Caleb Charles Christopher Daniel David Dennis Ethan George Henry Ian "
        "Jack James Joel Kevin Liam Mark Matthew Nathan Noah Oliver Patrick Peter Philip Russell Simon Thomas "
        "Walter"
    ),
}
FAMILY = {
    "pt": _names(
        "Abreu Almeida Alves Amaral Andrade Araújo Azevedo Barbosa Barros Batista Borges Braga Brito Campos Cardoso "
        "Carvalho Castro Coelho Correia Costa Cunha Dias Duarte Farias Fernandes Ferreira Figueiredo Fonseca Freitas "
        "Gomes Gonçalves Guimarães Leal Lima Lopes Macedo Machado Magalhães Marques Martins Matos Medeiros Melo Mendes "
        "Miranda Monteiro Moraes Moreira Nascimento Neves Nogueira Nunes Oliveira Pacheco Peixoto Pereira Pinheiro "
        "Pinto Pires Queiroz Ramos Rezende Ribeiro Rocha Rodrigues Sales Santana Santos Silva Silveira Siqueira Soares "
        "Souza Tavares Teixeira Torres Valente Vasconcelos Vaz Vieira Xavier"
    ),
    "es": _names(
        "Acosta Aguirre Álvarez Arias Benítez Bianchi Bravo Bustos Cabrera Campos Cardozo Castillo Correa Díaz "
        "Domínguez Escobar Fernández Ferreyra Figueroa Flores García Giménez Godoy Gómez González Gutiérrez Herrera "
        "Ibáñez Juárez Ledesma López Luna Maldonado Martínez Medina Méndez Molina Moreno Moyano Núñez Ojeda Ortiz "
        "Páez Peralta Pereyra Pérez Quiroga Ramírez Ríos Rodríguez Rojas Romero Rossi Ruiz Sánchez Silva Soria Sosa "
        "Suárez Toledo Torres Vega Vera Villalba"
    ),
    "en": _names(
        "Adams Allen Bailey Baker Barnes Bennett Brooks Brown Campbell Carter Clark Coleman Collins Cook Cooper Cox "
        "Davis Dixon Edwards Ellis Evans Fisher Foster Gibson Graham Gray Green Griffin Hall Harris Hayes Hughes "
        "Jackson Jenkins Johnson Jordan Kelly Kennedy King Lewis Marshall Mason Miller Mitchell Moore Morgan Morris "
        "Murphy Murray Nelson Palmer Parker Perry Phillips Porter Powell Price Reed Reynolds Roberts Rogers Ross "
        "Russell Sanders Scott Shaw Simmons Spencer Stevens Stewart Sullivan Taylor Turner Walker Ward Warren Watson "
        "Webb Wells Wheeler White Wood Wright Young"
    ),
}
#: What is in the shop: name, kind, price in cents, and how often it is taken (a weight).
PRODUCTS = (
    ("Caparaó", "coffee", 4200, 22),
    ("Sítio da Serra", "coffee", 3900, 20),
    ("Chapada", "coffee", 4600, 14),
    ("Mogiana", "coffee", 3400, 18),
    ("Noite Boa", "coffee", 4100, 7),
    ("Quatro Fazendas", "coffee", 11800, 5),
    ("Garrafa Aurora", "home", 15900, 4),
    ("Coador de barro", "home", 8900, 6),
    ("Caneca da manhã", "home", 5400, 9),
    ("Moedor de mão", "home", 28900, 2),
    ("Avental de linho", "home", 12900, 2),
    ("Vela de cedro", "home", 7800, 3),
)
BREWS = ("v60", "espresso", "french_press", "moka")
