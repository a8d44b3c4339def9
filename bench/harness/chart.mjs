import { best, FIELDS, worst } from './fields.mjs';
import { inWords } from './tables.mjs';

const WIDTH = 860;
const LABEL = 200;
const BAR = 440;
const ROW = 22;
const HEAD = 46;

/** The lines of one kind of work as an SVG: a panel a line, a bar a client; the dark part is its worse run. */
export function chartOf(work, lines, machine) {
  const parts = [];
  let top = 56;
  for (const line of lines) {
    const bars = Object.entries(line.clients)
      .map(([client, { runs, setting }]) => ({
        label: setting === undefined ? client : `${client}, ${setting}`,
        isOwn: client.startsWith('krafka'),
        best: best(runs, line.field),
        worst: worst(runs, line.field),
      }))
      .filter((bar) => bar.best !== undefined);
    if (bars.length === 0) continue;
    const { title, better } = FIELDS[line.field];
    const largest = Math.max(...bars.map((bar) => Math.max(bar.best, bar.worst)));
    parts.push(
      text(16, top + 14, line.name, 'name'),
      text(16, top + 31, `${line.says}: ${title}, ${better === 'high' ? 'more' : 'less'} is better`, 'says'),
    );
    bars.forEach((bar, index) => {
      const y = top + HEAD + index * ROW;
      const width = (value) => Math.max(1, Math.round((value / largest) * BAR));
      parts.push(
        text(LABEL - 8, y + 13, bar.label, bar.isOwn ? 'own end' : 'end'),
        `<rect x="${LABEL}" y="${y + 2}" width="${width(Math.max(bar.best, bar.worst))}" height="${ROW - 7}" rx="2" class="${bar.isOwn ? 'light-own' : 'light'}"/>`,
        `<rect x="${LABEL}" y="${y + 2}" width="${width(Math.min(bar.best, bar.worst))}" height="${ROW - 7}" rx="2" class="${bar.isOwn ? 'bar-own' : 'bar'}"/>`,
        text(LABEL + width(Math.max(bar.best, bar.worst)) + 8, y + 13, inWords(bar.best), bar.isOwn ? 'own' : ''),
      );
    });
    top += HEAD + bars.length * ROW + 18;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" width="${WIDTH}" height="${top}" role="img" aria-label="${escaped(work)}">
<style>
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-size: 17px; font-weight: 600 } .name { font-size: 14px; font-weight: 600 } .says { fill: #57606a }
.own { font-weight: 600 } .end { text-anchor: end }
.bar { fill: #8c959f } .light { fill: #d0d7de } .bar-own { fill: #0969da } .light-own { fill: #b6d5f5 }
</style>
<rect width="${WIDTH}" height="${top}" fill="#ffffff"/>
${text(16, 26, work, 'title')}
${text(16, 44, `Node ${machine.node}, Kafka ${machine.kafka}, ${machine.cpus} cores shared with the brokers, ${machine.date.slice(0, 10)}; the dark part is the worse run`, 'says')}
${parts.join('\n')}
</svg>
`;
}

function text(x, y, content, kind) {
  return `<text x="${x}" y="${y}"${kind ? ` class="${kind}"` : ''}>${escaped(content)}</text>`;
}

function escaped(content) {
  return String(content)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
