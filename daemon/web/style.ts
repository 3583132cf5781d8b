// How the page looks: calm where all is well, light or dark as the reader has it, one column on a phone.

export const style = `
:root {
  --paper: #f6f5f1; --card: #ffffff; --ink: #1e2422; --soft: #5a635f; --line: #dcdad2;
  --good: #1a6b4f; --warn: #8a5200; --bad: #b3261e; --info: #5a635f;
  --good-wash: #e4f1ea; --warn-wash: #fbf0dc; --bad-wash: #fbe6e4; --focus: #0b5cad;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #141817; --card: #1c2220; --ink: #e8ebe9; --soft: #a4aeaa; --line: #333b38;
    --good: #7fd1ae; --warn: #f0b35c; --bad: #ff9a90; --info: #a4aeaa;
    --good-wash: #1b3129; --warn-wash: #37290f; --bad-wash: #3f1e1b; --focus: #8cc4ff;
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
}
header, main { max-width: 68rem; margin: 0 auto; padding: 0 1.25rem; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem 1.5rem; padding-top: 1rem; padding-bottom: .75rem; }
.brand { margin: 0; }
.brand strong { font-size: 1.15rem; }
nav { flex: 1 1 auto; }
nav ul { display: flex; gap: .25rem; margin: 0; padding: 0; list-style: none; }
nav a { display: block; padding: .4rem .7rem; border-radius: .5rem; color: var(--ink); text-decoration: none; }
nav a:hover { background: var(--line); }
nav a[aria-current] { background: var(--card); box-shadow: inset 0 0 0 1px var(--line); font-weight: 600; }
.account { margin: 0; display: flex; gap: .5rem; align-items: center; }
main { padding-bottom: 3rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 1rem 0 .75rem; }
h2 { font-size: 1rem; margin: 2rem 0 .6rem; }
h3 { font-size: 1.05rem; margin: 0 0 .25rem; }
p { margin: 0 0 .35rem; }
a { color: var(--focus); }
ul, ol { margin: 0; padding: 0; list-style: none; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: .3rem; }
.skip { position: absolute; left: -100vw; }
.skip:focus { left: 1rem; top: .5rem; background: var(--card); padding: .5rem .8rem; z-index: 1; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.dim, .note { color: var(--soft); }
.note { font-size: .875rem; }
.good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); }
.stale #nodes, .stale #groups { opacity: .55; }
#live { background: var(--warn-wash); color: var(--warn); padding: .6rem .9rem; border-radius: .6rem; }
.headline { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem .8rem; margin: .75rem 0 1rem; font-size: 1.1rem; }
.badge { font-weight: 700; font-size: .85rem; letter-spacing: .05em; padding: .25rem .7rem; border-radius: 2rem; }
.badge.good { background: var(--good-wash); } .badge.warn { background: var(--warn-wash); } .badge.bad { background: var(--bad-wash); }
.banner { background: var(--bad-wash); border-left: .3rem solid var(--bad); border-radius: .6rem; padding: .8rem 1rem; margin-bottom: 1rem; }
.banner h2 { margin: 0 0 .25rem; color: var(--bad); }
.next { color: var(--soft); }
.banner .next, .items .next { color: inherit; opacity: .9; }
.items li { display: grid; grid-template-columns: 5.5rem 1fr; gap: .25rem 1rem; padding: .7rem 1rem; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; margin-bottom: .5rem; color: var(--ink); }
.items p { margin: 0; }
.losses { margin: .6rem 0 0; padding: 0; list-style: none; }
.losses li { display: flex; justify-content: space-between; gap: 1rem; padding: .35rem 0; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
.losses p { margin: 0; }
.tag { font-size: .75rem; font-weight: 700; text-transform: uppercase; letter-spacing: .05em; align-self: start; padding-top: .2rem; }
.warn .tag { color: var(--warn); } .bad .tag { color: var(--bad); } .info .tag { color: var(--info); }
.pair { margin-top: 1rem; display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1.7fr) minmax(0, 1fr); gap: .75rem; align-items: stretch; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .8rem; padding: .9rem 1.1rem; }
.node h3 { display: flex; align-items: center; gap: .55rem; }
.dot { width: .7rem; height: .7rem; border-radius: 50%; background: currentColor; flex: none; }
.links li { padding: .35rem 0; }
.links li + li { border-top: 1px solid var(--line); }
.row { display: flex; justify-content: space-between; gap: 1rem; margin: 0 0 .3rem; }
.spark { display: block; width: 100%; height: 1.75rem; background: linear-gradient(var(--line), var(--line)) bottom / 100% 1px no-repeat; }
.spark rect { fill: var(--soft); opacity: .55; }
.spark rect.warn { fill: var(--warn); opacity: 1; } .spark rect.bad { fill: var(--bad); opacity: 1; }
.spark line { stroke: var(--bad); stroke-width: 1; stroke-dasharray: 4 4; vector-effect: non-scaling-stroke; opacity: .5; }
.cards { display: grid; gap: .75rem; }
.group > p { margin-bottom: .15rem; }
.resources { margin-top: .6rem; }
.resources li { display: grid; grid-template-columns: 1.4rem 6.5rem minmax(8rem, 14rem) 1fr; gap: 0 .6rem; padding: .35rem 0; border-top: 1px solid var(--line); }
.resources .kind { color: var(--soft); }
.resources .name { font-weight: 600; }
progress { display: block; width: 100%; max-width: 22rem; height: .5rem; margin: .35rem 0; accent-color: var(--warn); }
.events li { display: grid; grid-template-columns: 5.2rem 1fr auto; gap: 0 .8rem; padding: .35rem 0; border-top: 1px solid var(--line); }
.events time, .events .at, .took { color: var(--soft); white-space: nowrap; }
.events li.warn, .events li.bad, .incidents li, .timeline li { color: var(--ink); }
dl { margin: 0; display: grid; gap: 0; }
dl div { display: grid; grid-template-columns: minmax(8rem, 14rem) 1fr; gap: 0 1rem; padding: .3rem 0; border-top: 1px solid var(--line); }
dt { color: var(--soft); } dd { margin: 0; }
.buttons { display: flex; flex-wrap: wrap; gap: .6rem; }
.button, button { display: inline-block; font: inherit; font-weight: 600; padding: .5rem 1rem; min-height: 2.75rem; border-radius: .6rem; border: 1px solid var(--line); background: var(--card); color: var(--ink); text-decoration: none; cursor: pointer; }
.button:hover, button:hover { border-color: var(--soft); }
form .buttons { margin-top: 1.25rem; }
form .buttons button, .login button { background: var(--good); border-color: var(--good); color: var(--card); }
.quiet { font-weight: 400; background: none; padding: .3rem .7rem; min-height: 2.2rem; }
.buttons .quiet { padding: .5rem 1rem; min-height: 2.75rem; }
input, select { font: inherit; padding: .5rem .7rem; min-height: 2.75rem; border-radius: .6rem; border: 1px solid var(--soft); background: var(--card); color: var(--ink); max-width: 100%; }
.login + .login { margin-top: 2rem; border-top: 1px solid var(--line); padding-top: 1.5rem; }
.login label { display: block; font-weight: 600; margin-bottom: .25rem; }
.login input { width: 24rem; }
details { margin: .75rem 0; }
details h2 { margin: .8rem 0 .3rem; font-size: .95rem; }
summary { cursor: pointer; padding: .3rem 0; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .8rem; margin: 0; white-space: pre-wrap; font-size: .85rem; }
.incidents li { display: grid; grid-template-columns: 1fr auto; gap: 0 1rem; padding: .7rem 1rem; background: var(--card); border: 1px solid var(--line); border-left: .25rem solid var(--line); border-radius: .6rem; margin-bottom: .5rem; }
.incidents li.bad { border-left-color: var(--bad); } .incidents li.warn { border-left-color: var(--warn); }
.incidents p { grid-column: 1 / -1; margin: .2rem 0 0; }
.facts { margin: 1rem 0; }
.timeline li { display: grid; grid-template-columns: minmax(0, 1fr) 5.5rem minmax(0, 1.2fr); gap: 0 1rem; padding: .4rem 0; border-top: 1px solid var(--line); align-items: center; }
.timeline .took { text-align: right; }
.timeline .bar { width: 100%; height: 1rem; }
.scale { display: flex; justify-content: space-between; margin: 0 0 .2rem; padding-left: calc((100% - 7.5rem) / 2.2 + 7.5rem); color: var(--soft); font-size: .875rem; }
.moments li { display: grid; grid-template-columns: 5.6rem minmax(0, 1fr) auto; gap: 0 .8rem; padding: .3rem 0; border-top: 1px solid var(--line); font-size: .9375rem; color: var(--ink); }
.moments .at { color: var(--soft); text-align: right; white-space: nowrap; }
.bar rect { fill: var(--soft); } .bar rect.span { fill: var(--good); }
.warn .bar rect { fill: var(--warn); } .bad .bar rect { fill: var(--bad); }
.bar .zero { stroke: var(--line); stroke-width: 1; vector-effect: non-scaling-stroke; }
.scenarios { display: grid; gap: .75rem; margin: 1rem 0; }
.scenarios li { border-left: .25rem solid var(--good); color: var(--ink); }
.scenarios li.warn { border-left-color: var(--warn); } .scenarios li.bad { border-left-color: var(--bad); }
.scenarios h2 { margin: 0 0 .3rem; }
@media (max-width: 46rem) {
  header, main { padding-left: .9rem; padding-right: .9rem; }
  nav { order: 3; flex-basis: 100%; }
  .brand { flex: 1 1 auto; }
  .pair { grid-template-columns: minmax(0, 1fr); }
  .resources li { grid-template-columns: 1.4rem minmax(0, 1fr) auto; }
  .resources .name { order: 1; } .resources .kind { order: 2; } .resources .state { order: 3; grid-column: 2 / -1; }
  .items li { grid-template-columns: minmax(0, 1fr); }
  .events li { grid-template-columns: 1fr auto; }
  .events li > :nth-child(2) { grid-column: 1 / -1; grid-row: 2; }
  dl div { grid-template-columns: minmax(0, 1fr); }
  .timeline li { grid-template-columns: minmax(0, 1fr) auto; }
  .timeline .bar { grid-column: 1 / -1; grid-row: 2; }
  .scale { padding-left: 0; }
  .moments li { grid-template-columns: minmax(0, 1fr) auto; }
  .moments .at { text-align: left; }
  .moments li > :nth-child(2) { grid-column: 1 / -1; grid-row: 2; }
  .login input { width: 100%; }
}
@media (prefers-reduced-motion: no-preference) { .stale #nodes, .stale #groups { transition: opacity .3s; } }
@media print { nav, .account, #actions { display: none; } }
`;
