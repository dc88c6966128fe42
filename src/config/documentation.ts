import { Environment, VARIABLES } from './environment';
import type { Section, Variable } from './variable';

/** What a newcomer has to fill in; everything else has a default. */
const TO_FILL_IN = new Set(['JWT_SECRET', 'API_KEY']);
const COMMENT_WIDTH = 100;
type Value = string | number | boolean | readonly string[] | undefined;
const DEFAULTS = new Map<string, Value>(Object.entries(new Environment()));

const PER_TENANT: readonly (readonly [string, string])[] = [
  ['TENANT_<ID>_NAME', 'The tenant that the ID stands for. Not set: the ID in lower case, `_` as `-`.'],
  ['TENANT_<ID>_API_KEY', 'An API key bound to the tenant: it implies it, and opens no other.'],
  ['TENANT_<ID>_MAX_CONNECTIONS', 'Most connections; 0 = unlimited. Not set: `TENANT_DEFAULT_MAX_CONNECTIONS`.'],
  [
    'TENANT_<ID>_MAX_CONNECTIONS_PER_USER',
    'Most connections of one user. Not set: `TENANT_DEFAULT_MAX_CONNECTIONS_PER_USER`.',
  ],
  [
    'TENANT_<ID>_MAX_SUBSCRIPTIONS_PER_CONNECTION',
    'Most channels of one connection. Not set: `TENANT_DEFAULT_MAX_SUBSCRIPTIONS_PER_CONNECTION`.',
  ],
];

/** The text of `.env.example`: every variable with its meaning, its rule and its default. */
export function renderEnvExample(): string {
  const head = comment(
    'The configuration of Ara: copy this file to .env, fill in the two secrets, and take the # from what you change. ' +
      'Lines with a # show the defaults. Put a value with # or blanks into quotes. More: docs/configuration.md. ' +
      'Written by the code: UPDATE_DOCS=1 npx jest test/architecture/configuration',
  );
  const sections = bySection().map(([section, variables]) => {
    const entries = variables.map((variable) => `${comment(describe(variable))}\n${exampleLine(variable)}\n`);
    return `# ---- ${section.title} ----\n${comment(section.about)}\n\n${entries.join('\n')}`;
  });
  const tenants = PER_TENANT.map(
    ([name, doc]) => `${comment(doc.replaceAll('`', ''))}\n# ${name.replace('<ID>', 'ACME_CORP')}=\n`,
  );
  return `${head}\n\n${sections.join('\n')}\n# ---- Single tenants (here ACME_CORP) ----\n\n${tenants.join('\n')}`;
}

/** The text of docs/configuration.md. */
export function renderConfigurationDocs(): string {
  const sections = bySection().map(
    ([{ title, about }, variables]) =>
      `## ${title}\n\n${about}\n\n| Variable | Default | Rule | Meaning |\n|---|---|---|---|\n${variables.map(row).join('\n')}\n`,
  );
  const tenants = PER_TENANT.map(([name, doc]) => `| \`${name}\` | ${doc} |`).join('\n');
  return `${INTRODUCTION}\n${sections.join('\n')}\n${SINGLE_TENANTS.replace('{rows}', tenants)}\n${START_RULES}`;
}

function bySection(): [Section, Variable[]][] {
  const sections = new Map<Section, Variable[]>();
  for (const variable of VARIABLES) {
    sections.set(variable.section, [...(sections.get(variable.section) ?? []), variable]);
  }
  return [...sections];
}

function row(variable: Variable): string {
  const { name, rule, doc, aliases = [], secret } = variable;
  const names = [name, ...aliases].map((each) => `\`${each}\``).join(', also ');
  const file = secret === true ? ` Or a file: \`${name}_FILE\`.` : '';
  const cells = [names, defaultOf(variable, '`') || 'not set', rule, `${doc}${file}`];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function describe(variable: Variable): string {
  const { rule, doc, aliases = [], unset } = variable;
  const also = aliases.length === 0 ? '' : ` Also: ${aliases.join(', ')}.`;
  const otherwise = unset === undefined ? '' : ` Not set: ${unset}.`;
  return `${doc.replaceAll('`', '')} Rule: ${rule}.${otherwise}${also}`;
}

function exampleLine(variable: Variable): string {
  const { name, unset } = variable;
  if (TO_FILL_IN.has(name)) return `${name}=`;
  return `# ${name}=${unset === undefined ? defaultOf(variable, '') : ''}`;
}

function defaultOf({ name, unset }: Variable, quote: string): string {
  const value = DEFAULTS.get(name);
  if (unset !== undefined || value === undefined) return unset ?? '';
  const text = typeof value === 'object' ? value.join(',') : String(value);
  return text === '' ? '' : `${quote}${text}${quote}`;
}

function comment(text: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines[lines.length - 1] ?? '';
    if (line.length + word.length < COMMENT_WIDTH) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(` ${word}`);
  }
  return lines.map((line) => `#${line}`).join('\n');
}

const INTRODUCTION = `# Configuration

<!-- Written by the code: UPDATE_DOCS=1 npx jest test/architecture/configuration -->

Ara reads its settings once, at start. All mistakes are reported together, each with the variable, its source, the rule and
the way out, and the process ends with an exit code other than 0. \`ara config check\` does only that.

## Where settings come from

The first source that sets a variable wins:

1. the environment of the process,
2. \`.env\` in the working directory,
3. \`config/<RUN_MODE>.toml\` (\`config/production.toml\` for every spelling of production),
4. \`config/default.toml\`,
5. the defaults below.

All files are optional. An empty value counts as not set. Flags take \`true\`, \`1\`, \`on\`, \`yes\`, \`false\`, \`0\`, \`off\`, \`no\` in
any case. In \`.env\`, a value with \`#\` or blanks belongs in quotes. Of two names of one setting in the same source, the one
named first in the tables counts (for the \`TENANT_DEFAULT_…\` limits the other one), with a warning. A name that is
unknown but looks like one of these is reported with the nearest real one.

**Secrets from files.** Every variable marked so can come from a mounted file: \`JWT_SECRET_FILE=/run/secrets/jwt\`. One
line break at the file's end is removed. Setting both is a mistake. It works for \`TENANT_<ID>_API_KEY_FILE\`, too.

**TOML.** Table and key, joined by \`_\` and in upper case, are the variable's name. Under \`[server]\` may also stand the
variables of the section Server that have no \`SERVER_\` in their name. \`RUN_MODE\` cannot be set there, because it chooses the file.

\`\`\`toml
[server]
port = 8081
cors_origins = "https://app.example.com,https://admin.example.com"

[queue]
enabled = true
max_size_per_user = 100

[tenant]
enabled = true

[tenant.default_limits]
max_connections = 1000

[tenant.tenant_overrides.premium]
max_connections = 5000
\`\`\`
`;

const SINGLE_TENANTS = `## Single tenants

\`<ID>\` is the tenant in upper case with \`_\` for other characters: \`TENANT_ACME_CORP_MAX_CONNECTIONS\` is for \`acme-corp\`.
Where that does not lead to the tenant's name, \`TENANT_<ID>_NAME\` gives it. Names that begin with \`TENANT_DEFAULT_\` or
\`TENANT_ENABLED\` never belong to a single tenant. In a TOML file, \`[tenant.tenant_overrides.<tenant>]\` names the tenant as it is.

| Variable | Meaning |
|---|---|
{rows}
`;

const START_RULES = `## What a start refuses

Always:

- no \`JWT_SECRET\` with HS256, or one of fewer than 32 characters; no \`JWT_PUBLICKEY\` with RS256 or ES256, or a file that
  holds another kind of key, an RSA key of fewer than 2048 bits, or a private key;
- two tenants with the same API key, a tenant's key that is a general one, a secret that is also an API key;
- \`WEBSOCKET_CONNECTION_TIMEOUT\` (and in a cluster \`CLUSTER_SESSION_TTL_SECONDS\`) not longer than \`WEBSOCKET_HEARTBEAT_INTERVAL\`;
- \`WORKERS\` above 1 without a cluster, or with rate limits in memory; a cluster whose queue, acknowledgements (when on) or templates lie in memory or in an
  embedded database, because the nodes could not share them;
- \`METRICS_PORT\` equal to \`SERVER_PORT\`; \`REDIS_BACKOFF_MAX_DELAY_MS\` below the first delay.

In production also:

- no \`API_KEY\`; API keys, or a \`METRICS_TOKEN\`, of fewer than 16 characters;
- secrets, keys and tokens that look like samples (\`your-…\`, \`change-me\`, \`example\`, \`password\`, …) or repeat themselves;
- \`TRUST_PROXY=true\`, or a network that holds every address.

In development these weak settings only cause a warning. Production warns of an empty \`CORS_ORIGINS\`, of a queue in memory,
of passwords in \`REDIS_URL\` and \`DATABASE_URL\` that would be guessed, and of rate limits without \`TRUST_PROXY\`. Every mode
warns of limits that can never be reached and of settings that have no effect.

When the settings are right and a store that they ask for does not answer within \`STORE_BOOT_TIMEOUT_SECONDS\`, the process
ends, too. Exit codes: 78 for settings, 1 for everything else. \`ara config check\` reaches for no store; it exits with 0 or 1.
`;
