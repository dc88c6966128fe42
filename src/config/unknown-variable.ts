import { VARIABLES } from './environment';
import { TENANT_SETTINGS } from './tenant-variable';
import { namesOf } from './variable';

const NAMES = VARIABLES.flatMap(namesOf);
const PREFIXES = new Set(NAMES.filter((name) => name.includes('_')).map((name) => name.split('_', 1)[0]));
/** Set by others: Kubernetes' service links, HTTP clients, Rust's runtime, the OpenTelemetry SDK. */
const FOREIGN = [
  /_SERVICE_(HOST|PORT)(_|$)/,
  /_PORT(_\d+_(TCP|UDP)(_|$)|$)/,
  /^HTTP_PROXY$/,
  /^RUST_(LIB_)?BACKTRACE$/,
  /^OTEL_(ATTRIBUTE|BLRP|BSP|EXPORTER|LOG|LOGS|METRIC|METRICS|NODE|PROPAGATORS|RESOURCE|SDK|SEMCONV|SPAN|TRACES)/,
];

/** Whether a name looks like a variable of this service, by its first word. */
export function looksLikeOurs(name: string): boolean {
  const [prefix] = name.split('_', 1);
  return name.includes('_') && PREFIXES.has(prefix) && !FOREIGN.some((pattern) => pattern.test(name));
}

/** The real name that needs the fewest edits. */
export function nearestName(name: string): string {
  let nearest = { name: '', edits: Infinity };
  for (const candidate of [...NAMES, ...tenantCandidates(name)]) {
    const edits = editDistance(name, candidate);
    if (edits < nearest.edits) nearest = { name: candidate, edits };
  }
  return nearest.name;
}

/** For TENANT_A_B_SOMETHING: each setting of the tenants A and A_B. */
function tenantCandidates(name: string): string[] {
  const [prefix, ...words] = name.split('_');
  if (prefix !== 'TENANT' || /^(DEFAULT|ENABLED)/.test(words[0] ?? '')) return [];
  return words
    .slice(1)
    .flatMap((_, index) =>
      TENANT_SETTINGS.map((setting) => `TENANT_${words.slice(0, index + 1).join('_')}_${setting}`),
    );
}

/** Levenshtein's distance; time in the product of the lengths. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let index = 0; index < from.length; index++) {
    const next = [index + 1];
    for (let column = 1; column <= to.length; column++) {
      const replaced = (row[column - 1] ?? 0) + (from[index] === to[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
