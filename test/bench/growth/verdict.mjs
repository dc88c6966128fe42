/** Whether a cost grows, and the tables. */

/** A cost per operation that grows with the square root of the number, or faster, is on its way to a quadratic whole. */
const STEEP_EXPONENT = 0.5;
/** Below so many, fixed costs are what is seen. */
const FROM = 10;

/** Adds to each column the power with which its cost grows: 0 is flat, 1 in proportion. */
export function judged(study) {
  const exponents = {};
  for (const column of Object.keys(study.columns)) {
    const points = study.points
      .filter(({ n }) => n >= FROM)
      .map((point) => [Math.log(point.n), Math.log(point[column])]);
    const usable = points.filter(([, y]) => Number.isFinite(y));
    // Two points are no line.
    if (usable.length > 2) exponents[column] = slope(usable);
  }
  const { known = [] } = study;
  const steep = Object.keys(exponents).filter((name) => exponents[name] >= STEEP_EXPONENT && !known.includes(name));
  return { ...study, exponents, steep };
}

export function growthTable({ node, cpu, cpus, loadAverage, seconds, studies }) {
  const head = `Node ${node}, ${cpus} × ${cpu}, load average ${loadAverage[0].toFixed(1)}, ${seconds} s`;
  return [head, ...studies.flatMap(tableOf)].join('\n');
}

function tableOf({ of, columns, points, exponents, steep }) {
  const names = Object.keys(columns);
  const cell = (value) => (value === undefined ? '' : value >= 100 ? value.toFixed(0) : value.toPrecision(2));
  const row = (first, cells) => `| ${[first, ...cells].join(' | ')} |`;
  return [
    '',
    row(of, Object.values(columns)),
    `|--:|${names.map(() => '--:|').join('')}`,
    ...points.map((point) =>
      row(
        point.n.toLocaleString('en'),
        names.map((name) => cell(point[name])),
      ),
    ),
    row(
      'grows with the power',
      names.map((name) => exponents[name]?.toFixed(2) ?? ''),
    ),
    ...(steep.length > 0 ? ['', `Grows: ${steep.map((name) => columns[name]).join('; ')}`] : []),
  ];
}

function slope(points) {
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const x = mean(points.map(([at]) => at));
  const y = mean(points.map(([, value]) => value));
  return mean(points.map(([at, value]) => (at - x) * (value - y))) / mean(points.map(([at]) => (at - x) ** 2));
}
