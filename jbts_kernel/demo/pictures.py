"""Product pictures as drawings the server makes: no files to ship, sharp at any size, the same on every run.

Each product is a few shapes on a shared stage (a tinted wall, a tabletop, a soft shadow), 400 by 300.
"""

from __future__ import annotations

_STAGE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 300" width="400" height="300">
<defs>
<linearGradient id="wall" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="{top}"/>
<stop offset="1" stop-color="{bottom}"/></linearGradient>
<linearGradient id="copper" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="#f0b48a"/>
<stop offset=".45" stop-color="#c9733c"/><stop offset="1" stop-color="#8a4519"/></linearGradient>
<linearGradient id="brass" x1="0" y1="0" x2="1" y2="0"><stop offset="0" stop-color="#c79a3c"/>
<stop offset=".5" stop-color="#f1d68a"/><stop offset="1" stop-color="#b98a2c"/></linearGradient>
<linearGradient id="walnut" x1="0" y1="0" x2="1" y2="0"><stop offset="0" stop-color="#6d4629"/>
<stop offset=".5" stop-color="#86593a"/><stop offset="1" stop-color="#5c3a21"/></linearGradient>
<linearGradient id="pine" x1="0" y1="0" x2="1" y2="0"><stop offset="0" stop-color="#e3bd84"/>
<stop offset=".5" stop-color="#f2d3a2"/><stop offset="1" stop-color="#d2a768"/></linearGradient>
<linearGradient id="oak" x1="0" y1="0" x2="1" y2="0"><stop offset="0" stop-color="#c99e67"/>
<stop offset=".5" stop-color="#dcb681"/><stop offset="1" stop-color="#b58850"/></linearGradient>
<linearGradient id="green" x1="0" y1="0" x2="1" y2="0"><stop offset="0" stop-color="#2f6a56"/>
<stop offset=".4" stop-color="#4b8a73"/><stop offset="1" stop-color="#214c3e"/></linearGradient>
<radialGradient id="shadow"><stop offset="0" stop-color="#3a2c1e" stop-opacity=".38"/>
<stop offset="1" stop-color="#3a2c1e" stop-opacity="0"/></radialGradient>
</defs>
<rect width="400" height="300" fill="url(#wall)"/>
<rect y="222" width="400" height="78" fill="{table}"/>
<rect y="222" width="400" height="2" fill="#fff" opacity=".45"/>
{drawing}
</svg>"""

_TINTS = (
    ("#eef1ea", "#dfe6da", "#d3d9c9"),
    ("#f7ede2", "#efdfce", "#e5d0b9"),
    ("#edf0f2", "#dde3e7", "#cfd6da"),
    ("#f5efe6", "#e9dfd0", "#dccfba"),
)

_BRISTLES = "".join(
    f'<rect x="{131 + 24 * n}" y="{top}" width="10" height="{186 - top}" rx="2" fill="{colour}"/>'
    f'<path d="M{131 + 24 * n} {top} l5 -13 l5 13z" fill="#2b2b2b"/>'
    for n, (top, colour) in enumerate(
        (
            (104, "#b4622d"),
            (88, "#2f6a56"),
            (112, "#d9a441"),
            (94, "#4a4a4a"),
            (108, "#8a4519"),
            (98, "#557f8c"),
        )
    )
)
_TICKS = "".join(
    f'<path d="M{66 + 9 * n} 150v{16 if n % 5 == 0 else 9}" stroke="#5b4312" stroke-width="1.4"/>' for n in range(31)
)
_PENCILS = "".join(
    f'<g transform="translate({112 + 24 * n} {86 + (n % 2) * 8})">'
    f'<path d="M0 26 l8 -26 l8 26z" fill="#eccb98"/><path d="M5.6 8 l2.4 -8 l2.4 8z" fill="#333"/>'
    f'<rect y="26" width="16" height="114" fill="{colour}"/>'
    f'<rect x="5" y="26" width="6" height="114" fill="#fff" opacity=".22"/></g>'
    for n, colour in enumerate(("#8a4519", "#b4622d", "#c9854f", "#7a5230", "#2f6a56", "#4b8a73", "#557f8c"))
)

_DRAWINGS = {
    "walnut-tray": """<ellipse cx="200" cy="238" rx="150" ry="22" fill="url(#shadow)"/>
<path d="M78 176 L322 176 L346 230 Q347 240 336 240 L64 240 Q53 240 54 230Z" fill="url(#walnut)"/>
<path d="M92 184 L308 184 L326 224 L74 224Z" fill="#4a2d18"/>
<path d="M96 188 L304 188 L320 221 L80 221Z" fill="#7a5033"/>
<path d="M100 198 Q200 190 300 200 M92 208 Q190 202 310 210" stroke="#5f3c22" fill="none" stroke-width="1.6"/>
<circle cx="150" cy="204" r="11" fill="none" stroke="url(#brass)" stroke-width="4"/>
<path d="M160 206 l26 5 M178 209 l-2 7" stroke="#d9b45c" stroke-width="4"/>
<rect x="226" y="194" width="54" height="20" rx="3" fill="#e9e2d3" transform="rotate(4 250 204)"/>
<path d="M234 201h30M234 207h22" stroke="#a99f8a" stroke-width="2" transform="rotate(4 250 204)"/>""",
    "brass-ruler": f"""<ellipse cx="206" cy="236" rx="166" ry="20" fill="url(#shadow)"/>
<g transform="translate(0 44) rotate(-5 200 170)">
<rect x="52" y="150" width="300" height="46" rx="3" fill="url(#brass)"/>{_TICKS}
<rect x="52" y="192" width="300" height="4" fill="#8f6a1d" opacity=".6"/>
<circle cx="338" cy="184" r="5" fill="#f4ead2"/></g>""",
    "pine-pen-stand": f"""<ellipse cx="200" cy="242" rx="120" ry="18" fill="url(#shadow)"/>{_BRISTLES}
<rect x="112" y="164" width="180" height="76" rx="6" fill="url(#pine)"/>
<path d="M112 182 Q200 174 292 184 M112 204 Q190 212 292 202 M112 224 Q210 218 292 226"
 stroke="#c79c5d" fill="none" stroke-width="1.6"/>
<rect x="112" y="164" width="180" height="7" rx="3" fill="#f9e3bd"/>""",
    "copper-desk-lamp": """<path d="M114 146 L42 250 Q126 272 232 250 L200 122Z" fill="#fff3cf" opacity=".7"/>
<ellipse cx="262" cy="242" rx="86" ry="15" fill="url(#shadow)"/>
<path d="M268 236 L296 146 L196 92" fill="none" stroke="#3d3a36" stroke-width="7" stroke-linejoin="round"/>
<circle cx="296" cy="146" r="8" fill="url(#brass)"/>
<ellipse cx="268" cy="236" rx="50" ry="10" fill="#3d3a36"/>
<ellipse cx="268" cy="232" rx="50" ry="9" fill="#56524c"/>
<path d="M176 64 Q214 70 214 106 L204 122 L112 146 Q104 92 176 64Z" fill="url(#copper)"/>
<path d="M112 146 L204 122" stroke="#ffe7a8" stroke-width="7" stroke-linecap="round"/>
<circle cx="200" cy="90" r="7" fill="#8a4519"/>""",
    "linen-notebook": """<ellipse cx="206" cy="246" rx="120" ry="16" fill="url(#shadow)"/>
<g transform="rotate(-6 200 150)"><rect x="136" y="62" width="146" height="184" rx="5" fill="#f3ecdd"/>
<rect x="126" y="56" width="146" height="184" rx="6" fill="#7d9a8c"/>
<rect x="126" y="56" width="22" height="184" rx="5" fill="#66857a"/>
<rect x="172" y="96" width="76" height="44" rx="3" fill="#f3ecdd"/>
<path d="M184 112h52M184 124h34" stroke="#8b8371" stroke-width="3"/>
<path d="M246 240 v20 l6 -7 l6 7 v-20z" fill="#b4622d"/>
<path d="M262 56v184" stroke="#2f4a40" stroke-width="4" opacity=".55"/></g>""",
    "oak-monitor-stand": """<ellipse cx="200" cy="240" rx="170" ry="16" fill="url(#shadow)"/>
<rect x="112" y="52" width="176" height="106" rx="8" fill="#2c2f31"/>
<rect x="119" y="59" width="162" height="92" rx="3" fill="#3f6f60"/>
<path d="M119 128 L160 96 L190 118 L224 84 L281 132 V148 Q281 151 278 151 H122 Q119 151 119 148Z"
 fill="#2f5447"/>
<rect x="190" y="158" width="20" height="22" fill="#3a3d3f"/>
<rect x="164" y="176" width="72" height="7" rx="3" fill="#3a3d3f"/>
<path d="M50 184 H350 Q360 184 360 196 V238 H342 V206 Q342 202 338 202 H62 Q58 202 58 206 V238 H40 V196 Q40
 184 50 184Z"
 fill="url(#oak)"/><path d="M60 192 Q200 186 344 193" stroke="#a87b42" fill="none" stroke-width="1.5"/>
<rect x="116" y="222" width="168" height="14" rx="4" fill="#eceae6"/>
<path d="M124 229h152" stroke="#b9b5ad" stroke-width="3"
 stroke-dasharray="7 3"/>""",
    "felt-desk-mat": """<ellipse cx="200" cy="238" rx="176" ry="20" fill="url(#shadow)"/>
<path d="M82 152 L318 152 L368 234 Q369 240 362 240 L38 240 Q31 240 32 234Z" fill="#6f7a78"/>
<path d="M32 234 Q31 240 38 240 L362 240 Q369 240 368 234 L368 240 Q368 246 362 246 L38 246 Q32 246 32 240Z"
 fill="#c79c6b"/>
<path d="M92 158 L308 158 L354 232 L46 232Z" fill="none" stroke="#8b9694" stroke-width="2"
 stroke-dasharray="5 4"/>
<rect x="126" y="176" width="112" height="34" rx="5" fill="#f0eeea"/>
<path d="M134 185h96M134 193h96M134 201h96" stroke="#c4c0b8" stroke-width="4" stroke-dasharray="9 3"/>
<ellipse cx="278" cy="198" rx="15" ry="19" fill="#f0eeea"/>
<path d="M278 180v12" stroke="#b9b5ad" stroke-width="2"/>""",
    "copper-paperweight": """<ellipse cx="206" cy="238" rx="116" ry="16" fill="url(#shadow)"/>
<g transform="rotate(-3 200 226)"><path d="M84 224 L316 224 L330 238 L72 238Z" fill="#fbf8f1"/>
<path d="M72 238h258v4H72z" fill="#ddd5c4"/></g>
<path d="M142 198 Q142 120 200 120 Q258 120 258 198 L258 212 Q258 226 200 226 Q142 226 142 212Z"
 fill="url(#copper)"/>
<ellipse cx="200" cy="142" rx="34" ry="13" fill="#f6cba8" opacity=".8"/>
<path d="M146 184 Q200 200 254 184" stroke="#8a4519" stroke-width="2" fill="none" opacity=".6"/>
<path d="M144 200 Q200 216 256 200" stroke="#8a4519" stroke-width="2" fill="none" opacity=".45"/>""",
    "cedar-pencil-set": f"""<ellipse cx="200" cy="246" rx="124" ry="14" fill="url(#shadow)"/>{_PENCILS}
<path d="M96 176 H300 V236 Q300 244 292 244 H104 Q96 244 96 236Z" fill="#efe4cd"/>
<path d="M96 176 H300 V184 H96Z" fill="#dfcfae"/>
<rect x="150" y="198" width="96" height="28" rx="3" fill="#1f4d3f"/>
<path d="M164 208h68M174 217h48" stroke="#efe4cd" stroke-width="3"/>""",
    "stoneware-mug": """<ellipse cx="200" cy="244" rx="104" ry="15" fill="url(#shadow)"/>
<path d="M262 142 q46 -6 46 34 q0 42 -54 42" fill="none" stroke="#2a5c4b" stroke-width="17"/>
<path d="M128 112 H268 L260 222 Q258 242 236 242 H160 Q138 242 136 222Z" fill="url(#green)"/>
<path d="M134 198 Q200 212 263 196 L260 222 Q258 242 236 242 H160 Q138 242 136 222Z" fill="#d8c7a8"/>
<ellipse cx="198" cy="112" rx="70" ry="15" fill="#3b7762"/>
<ellipse cx="198" cy="114" rx="60" ry="10" fill="#4a2f1b"/>
<path d="M176 88 q-9 -14 2 -26 q9 -12 0 -24 M214 88 q-9 -14 2 -26 q9 -12 0 -24" fill="none" stroke="#fff"
 stroke-width="5" stroke-linecap="round" opacity=".7"/>
<path d="M150 132 L155 206" stroke="#8fc0ab" stroke-width="6" stroke-linecap="round" opacity=".55"/>""",
    "leather-cable-ties": """<ellipse cx="200" cy="236" rx="140" ry="18" fill="url(#shadow)"/>
<g fill="none" stroke="#35332f" stroke-width="8"><ellipse cx="150" cy="176" rx="66" ry="46"/>
<ellipse cx="150" cy="176" rx="52" ry="34"/><path d="M208 204 q60 34 128 8"/></g>
<rect x="132" y="116" width="36" height="36" rx="6" fill="#a2602f"/>
<rect x="132" y="116" width="36" height="36" rx="6"
 fill="none" stroke="#e3b183" stroke-width="1.6" stroke-dasharray="4 3"/>
<circle cx="150" cy="134" r="6" fill="url(#brass)"/>
<g transform="translate(240 92)"><rect width="104" height="22" rx="11" fill="#8a4f26" transform="rotate(9)"/>
<circle cx="14" cy="13" r="5" fill="#f1d68a"/>
<rect y="40" width="104" height="22" rx="11" fill="#b87745" transform="rotate(9)"/>
<circle cx="8" cy="53" r="5" fill="#f1d68a"/></g>""",
    "maple-bookends": """<ellipse cx="200" cy="240" rx="160" ry="17" fill="url(#shadow)"/>
<path d="M62 108 h26 v118 h30 v12 h-56z" fill="url(#pine)"/>
<path d="M338 108 h-26 v118 h-30 v12 h56z" fill="url(#pine)"/>
<rect x="92" y="96" width="34" height="130" rx="3" fill="#1f4d3f"/>
<rect x="128" y="112" width="28" height="114" rx="3" fill="#b4622d"/>
<rect x="158" y="88" width="40" height="138" rx="3" fill="#e9dfc9"/>
<rect x="200" y="104" width="26" height="122" rx="3" fill="#557f8c"/>
<rect x="228" y="92" width="36" height="134" rx="3" fill="#7a5033"/>
<rect x="266" y="116" width="24" height="110" rx="3" fill="#d9a441"/>
<path d="M98 116h22M98 122h22M164 112h28M164 120h28M234 116h24" stroke="#fff" stroke-width="2.5"
 opacity=".55"/>""",
}

MARK = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" width="32" height="32">
<circle cx="16" cy="16" r="16" fill="#1f4d3f"/>
<path d="M16 5 L22 13 H19 L25 20 H18 V26 H14 V20 H7 L13 13 H10Z" fill="#e9a873"/></svg>"""
"""The shop's mark, a copper pine on green; also its favicon."""


def draw(slug: str) -> str | None:
    """A product's picture as SVG text, or None for a product nobody has drawn."""
    drawing = _DRAWINGS.get(slug)
    if drawing is None:
        return None
    top, bottom, table = _TINTS[list(_DRAWINGS).index(slug) % len(_TINTS)]
    return _STAGE.format(top=top, bottom=bottom, table=table, drawing=drawing)
