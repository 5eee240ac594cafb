"""What the site needs that GitHub does not: blocks whose info has more than a language."""

import re

INFO = re.compile(r"^( *```)python (run|config (?P<name>\S+))$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: object) -> str:
    """Make the name of a config the title of its block; the tests alone read the other words."""

    def simpler(info: re.Match) -> str:
        return f"{info[1]}python" + (f' title="{info["name"]}"' if info["name"] else "")

    return INFO.sub(simpler, markdown)
