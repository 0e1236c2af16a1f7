/** How a session's report looks: on a screen, light or dark, and on paper. */

export const REPORT_STYLE = `
:root{color-scheme:light dark;--bg:#fff;--fg:#1d2126;--dim:#626b75;--line:#d9dee3;--soft:#f5f7f9;--add:#116329;--addbg:#e6f6ea;--del:#a40e26;--delbg:#fdebed;--accent:#0550ae}
@media (prefers-color-scheme:dark){:root{--bg:#14171b;--fg:#dfe4ea;--dim:#939ca6;--line:#30363d;--soft:#1c2127;--add:#6fdd8b;--addbg:#12301c;--del:#ff8f97;--delbg:#3a161b;--accent:#79b8ff}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:64rem;padding:1.5rem 1rem 4rem;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.4rem;margin:0 0 .5rem}h2{font-size:1.1rem;margin:2rem 0 .5rem;padding-top:.75rem;border-top:1px solid var(--line)}h3{font-size:.9rem;margin:.75rem 0 .25rem;color:var(--dim)}
pre,code{font:13px/1.45 ui-monospace,monospace;direction:ltr;unicode-bidi:isolate}
pre{margin:.25rem 0;padding:.5rem .75rem;background:var(--soft);border:1px solid var(--line);border-radius:4px;white-space:pre-wrap;overflow-wrap:anywhere;tab-size:4}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:.5rem 0}dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
ul{margin:.25rem 0;padding-left:1.25rem}a{color:var(--accent)}
details{border:1px solid var(--line);border-radius:4px;margin:.4rem 0;padding:0 .75rem}
summary{cursor:pointer;padding:.35rem 0;overflow-wrap:anywhere}summary:focus-visible{outline:2px solid var(--accent)}
.prompt{border-left:3px solid var(--accent)}.reply{margin:.5rem 0;white-space:pre-wrap;overflow-wrap:anywhere}
.dim{color:var(--dim)}.add{color:var(--add);background:var(--addbg)}.del{color:var(--del);background:var(--delbg)}.hunk{color:var(--accent)}
.good{color:var(--add)}.bad,.risk{color:var(--del)}.bad{font-weight:600}
@media print{body{max-width:none;font-size:11px}pre{white-space:pre-wrap}details{break-inside:auto}details::details-content{content-visibility:visible;display:block}details>*{display:block}a{color:inherit;text-decoration:none}}
`;
