/** A run as a table for people, and as a picture. */

export function table({ node, cpu, cpus, results }) {
  const rows = results.map(({ id, what, value, atLeast, atMost, isMet, per, unit, loadBusy }) => {
    const bound = atLeast !== undefined ? `≥ ${atLeast}` : atMost !== undefined ? `≤ ${atMost}` : '';
    const verdict = isMet === undefined ? '' : isMet ? 'met' : 'missed';
    const details = [
      ...(per === undefined
        ? []
        : [
            `${Object.entries(per)
              .map(([name, figure]) => `${name} ${rounded(figure)}`)
              .join(', ')} ${unit}`,
          ]),
      ...(loadBusy === undefined ? [] : [`load process busy ${Math.round(loadBusy * 100)} %`]),
    ];
    return `| ${[id, what, rounded(value), bound, verdict, details.join('; ')].join(' | ')} |`;
  });
  const head = ['| | measured | result | target | | figures |', '|---|---|---|---|---|---|'];
  return [`Node ${node}, ${cpus} × ${cpu}`, '', ...head, ...rows].join('\n');
}

const WIDTH = 760;
const LABELS = 210;
const BAR = 22;

/** Bars per comparison that has figures of several servers, the shorter the cheaper. */
export function picture(results) {
  const charts = results.filter(({ per, unit }) => per !== undefined && unit.includes('CPU'));
  const parts = [];
  let y = 10;
  for (const { what, per, unit } of charts) {
    const scale = (WIDTH - LABELS - 90) / Math.max(...Object.values(per));
    parts.push(text(10, (y += 24), `${what.replace(/, against .*/, '')}: ${unit}`, 'font-weight="bold"'));
    for (const [name, figure] of Object.entries(per).toSorted(([, a], [, b]) => a - b)) {
      const top = (y += 8);
      const colour = name === 'ara' ? '#0b7285' : '#adb5bd';
      parts.push(text(LABELS - 8, top + 16, name, 'text-anchor="end"'));
      parts.push(
        `<rect x="${LABELS}" y="${top}" width="${Math.max(1, figure * scale).toFixed(1)}" height="${BAR}" fill="${colour}"/>`,
      );
      parts.push(text(LABELS + figure * scale + 8, top + 16, rounded(figure)));
      y += BAR;
    }
    y += 14;
  }
  const style = 'font-family="system-ui, sans-serif" font-size="14"';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}" ${style}>`,
    `<rect width="${WIDTH}" height="${y}" fill="white"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

function text(x, y, content, attributes = '') {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x.toFixed(1)}" y="${y}" fill="#212529" ${attributes}>${escaped}</text>`;
}

function rounded(value) {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
