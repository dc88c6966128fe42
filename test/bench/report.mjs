/** A run as tables for people, and as a picture. */

export function table({ node, cpu, cpus, loadAverage, seconds, results }) {
  const machine = `Node ${node}, ${cpus} × ${cpu}, load average ${loadAverage[0].toFixed(1)}, ${seconds} s`;
  const measured = results.filter(({ variants }) => variants === undefined);
  const features = results.filter(({ variants }) => variants !== undefined);
  return [machine, ...(measured.length > 0 ? ['', ...targets(measured)] : []), ...features.flatMap(costs)].join('\n');
}

function targets(results) {
  const rows = results.map(({ id, what, value, missing, atLeast, atMost, isMet, per, unit, loadBusy }) => {
    if (missing !== undefined) return `| ${[id, what, missing, '', '', ''].join(' | ')} |`;
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
  return ['| | measured | result | target | | figures |', '|---|---|---|---|---|---|', ...rows];
}

/** What a feature costs, a line each. */
function costs({ what, unit, variants }) {
  const rows = Object.entries(variants).map(
    ([name, { figure, ratio }]) => `| ${name} | ${rounded(figure)} | ${rounded(ratio)} |`,
  );
  return ['', what, '', `| | ${unit} | off ÷ this |`, '|---|--:|--:|', ...rows];
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
