// The parts of the bench that measure nothing: its command line, lines through points, what is kept, plots.

import test from 'ava';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { recordWork, timeSteps } from '../bench/core-cost.ts';
import { figure, sectionAsMarkdown } from '../bench/figures.ts';
import { exponentOf, slopeOf } from '../bench/line.ts';
import { parseOptions } from '../bench/options.ts';
import { renderPlot } from '../bench/plot.ts';

test('what takes long is measured only where it is named', (t) => {
  const quick = parseOptions([]);
  t.deepEqual(quick !== 'help' && quick.only, ['takeover', 'handover', 'steady', 'load', 'start']);
  const named = parseOptions(['--only', 'growth,memory', '--sizes', '1,3', '--events', '5000']);
  t.like(named, { only: ['memory', 'growth'], sizes: [1, 3], events: 5000, save: null });
});

for (const words of [
  ['--only', 'cost'],
  ['--sizes', '0'],
  ['--events', 'many'],
  ['--save', '/no/such/place/x.md'],
]) {
  test(`refused: ${words.join(' ')}`, (t) => {
    t.throws(() => parseOptions(words), { message: new RegExp(`^${words[0]}: `) });
  });
}

test('a slope is that of the line through the points, a power its exponent', (t) => {
  t.is(
    slopeOf([
      { x: 0, y: 1 },
      { x: 1, y: 4 },
      { x: 2, y: 7 },
    ]),
    3,
  );
  const square = [1, 10, 100].map((x) => ({ x, y: 5 * x * x }));
  t.true(Math.abs(exponentOf(square) - 2) < 1e-9);
  t.throws(() => slopeOf([{ x: 1, y: 1 }]));
  t.throws(() => exponentOf([{ x: 1, y: 0 }]));
});

test('a plot is an SVG with a line and its points for each row, on axes that hold them all', (t) => {
  const points = [1, 10, 100].map((x) => ({ x, y: x * 3 }));
  const svg = renderPlot([{ title: 'core & daemon, <ms>', lines: [{ label: 'guests', points }] }]);
  t.true(XMLValidator.validate(svg));
  const { svg: root } = new XMLParser({ ignoreAttributes: false }).parse(svg);
  const texts = [root.g.text].flat().map((text) => text['#text']);
  t.true(texts.includes('core &amp; daemon, <ms>') || texts.includes('core & daemon, <ms>'));
  t.deepEqual(texts.filter((text) => Number(text) >= 1).map(Number), [1, 10, 100, 1, 10, 100, 1000]);
  t.is([root.g.circle].flat().length, points.length);
});

test('a section is kept with its figures, its table and its plot', (t) => {
  const text = sectionAsMarkdown(
    {
      id: 'growth',
      title: 'Growth',
      figures: [figure('exponent', 'guests', '', [1.2], { target: { max: 1.1 } })],
      table: { heads: ['of', 'number'], rows: [['guests', 10]] },
      plot: '<svg/>',
    },
    'cost-growth.svg',
  );
  t.regex(text, /^## Growth\n/);
  t.regex(text, /\| guests +\| 1\.20 +\| <= 1\.10 +\| over target \|/);
  t.regex(text, /\| guests \| 10 +\|/);
  t.regex(text, /!\[Growth\]\(cost-growth\.svg\)$/);
});

test('the work of a core is recorded at rest and in a takeover, and takes time', (t) => {
  const { steady, takeover } = recordWork(`cluster: office
nodes:
  primary: { address: 192.168.1.2 }
  secondary: { address: 192.168.1.3 }
heartbeat: { key-file: /etc/battito/key, links: [{ interface: eth1 }] }
connectivity: { ping: [192.168.1.254] }
groups:
  office: { preferred: primary, addresses: [192.168.1.1/24 dev eth0] }
`);
  t.true(steady.every(({ before }) => before.groups[0]?.phase.kind === 'active'));
  t.is(takeover[0]?.before.groups[0]?.phase.kind, 'stopped');
  t.true(takeover.some(({ before }) => before.groups[0]?.phase.kind === 'starting'));
  for (const ms of timeSteps([steady, takeover])) t.true(ms > 0 && Number.isFinite(ms));
});
