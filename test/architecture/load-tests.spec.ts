import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { AraProcess, type Env } from '../support/ara-process';
import { TEST_JWT_SECRET } from '../support/tokens';
import { WsClient } from '../support/ws-client';

/** What can be said about k6/ without k6; `test/load` runs it. */
const K6 = join(__dirname, '../../k6');
const README = readFileSync(join(K6, 'README.md'), 'utf8');
const SCRIPTS = readdirSync(K6, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.js'));
const sources = new Map(SCRIPTS.map((file) => [file, readFileSync(join(K6, file), 'utf8')]));
const TESTS = ['websocket', 'http-api', 'batch-api', 'e2e-load', 'sse'];

interface Config {
  readonly PROFILES: Record<string, Record<'connections' | 'rate' | 'rampUp' | 'hold' | 'rampDown', number>>;
  readonly THRESHOLDS: Record<string, Record<string, string[]>>;
  readonly [name: string]: unknown;
}

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ara-k6-'));
  cpSync(K6, join(folder, 'k6'), { recursive: true });
  // The two modules of k6 that the signer uses, on Node's own cryptography.
  const modules = join(folder, 'node_modules/k6');
  mkdirSync(modules, { recursive: true });
  writeFileSync(join(modules, 'package.json'), '{"type":"module","exports":{"./*":"./*.js"}}');
  writeFileSync(
    join(modules, 'crypto.js'),
    `import { createHmac } from 'node:crypto';
     const forms = { base64rawurl: 'base64url', hex: 'hex' };
     export default { hmac: (name, secret, data, form) => createHmac(name, secret).update(data).digest(forms[form]) };`,
  );
  writeFileSync(
    join(modules, 'encoding.js'),
    `const forms = { rawurl: 'base64url', std: 'base64' };
     export default { b64encode: (text, form = 'std') => Buffer.from(text).toString(forms[form]) };`,
  );
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** What `code` leaves in `answer`, with `module` as the module of k6/ and these settings. */
function evaluate(file: string, code: string, env: Env = {}): unknown {
  const program = `
    globalThis.__ENV = ${JSON.stringify(env)};
    const module = await import(${JSON.stringify(pathToFileURL(join(folder, 'k6', file)).href)});
    console.log(JSON.stringify(${code}));`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
    cwd: folder,
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

const configWith = (env: Env = {}): Config => evaluate('config.js', '{ ...module }', env) as Config;

/** The cells of a table's rows, without backticks; an empty first cell repeats the one above. */
function tableUnder(heading: string): string[][] {
  const section = README.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const rows = section
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2);
  let first = '';
  return rows.map((row) => {
    const [head = '', ...cells] = row
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim().replaceAll('`', ''));
    first = head === '' ? first : head;
    return [first, ...cells];
  });
}

const inSeconds = (text: string): number =>
  [...text.matchAll(/(\d+)([ms])/g)].reduce((sum, [, n, unit]) => sum + Number(n) * (unit === 'm' ? 60 : 1), 0);

describe('k6/README.md', () => {
  it('has the profiles of config.js', () => {
    const documented = tableUnder('Profiles').map(([name, connections, rate, hold, rampUp, rampDown]) => [
      name,
      {
        connections: Number(connections),
        rate: Number(rate),
        hold: inSeconds(hold!),
        rampUp: inSeconds(rampUp!),
        rampDown: inSeconds(rampDown!),
      },
    ]);
    expect(Object.fromEntries(documented)).toEqual(configWith().PROFILES);
    expect(documented.map(([name]) => name)).toEqual('smoke baseline medium high stress soak spike'.split(' '));
  });

  it('has the thresholds of config.js', () => {
    const documented: Config['THRESHOLDS'] = {};
    for (const [test, metric, threshold] of tableUnder('Thresholds'))
      (documented[test!] ??= {})[metric!] = threshold!.split(', ');
    expect(documented).toEqual(configWith().THRESHOLDS);
    expect(Object.keys(documented)).toEqual(TESTS);
  });

  it('has the settings that the scripts read', () => {
    const read = [...sources.get('config.js')!.matchAll(/setting\('(\w+)'\)/g)].map(([, name]) => name!);
    const documented = tableUnder('Settings').flatMap(([names]) => names!.split(/, | or /));
    expect(documented.sort()).toEqual([...new Set(read)].sort());
    const elsewhere = SCRIPTS.filter((file) => file !== 'config.js' && sources.get(file)!.includes('__ENV'));
    expect(elsewhere).toEqual([]);
  });

  it('has the metrics of the scripts', () => {
    const made = [...sources.values()].flatMap((text) =>
      [...text.matchAll(/new (?:Counter|Trend|Rate|Gauge)\('(\w+)'/g)].map(([, name]) => name!),
    );
    const documented = tableUnder('Metrics').flatMap(([names]) => names!.split(', '));
    expect(documented.sort()).toEqual([...new Set(made)].sort());
  });

  it('links to files that are there', () => {
    const links = [...README.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, path]) => join(K6, path!));
    expect(links.filter((path) => !existsSync(path))).toEqual([]);
  });
});

describe('config.js', () => {
  it('takes one host for everything, or one for each side', () => {
    const urls = (env: Env): unknown[] => {
      const { API_URL, WS_URL, SSE_URL } = configWith(env);
      return [API_URL, WS_URL, SSE_URL];
    };
    expect(urls({})).toEqual(['http://localhost:8081', 'ws://localhost:8081/ws', 'http://localhost:8081/sse']);
    expect(urls({ HOST: 'one:1', WS_HOST: '', API_HOST: 'two:2' })).toEqual([
      ...['http://two:2', 'ws://one:1/ws', 'http://one:1/sse'],
    ]);
    expect(urls({ HOST: 'https://ara.example.com/' })).toEqual([
      ...['https://ara.example.com', 'wss://ara.example.com/ws', 'https://ara.example.com/sse'],
    ]);
  });

  it.each([
    [{ DURATION: '90' }, { CONNECTION_SECONDS: 90 }],
    [{ CONNECTION_DURATION: '1m30s', DURATION: '5s' }, { CONNECTION_SECONDS: 90 }],
    [{ BATCH_SIZE: '250' }, { BATCH_SIZE: 100 }],
    [{ CHANNELS: 'a, b' }, { CHANNELS: ['a', 'b'] }],
    [{ PROFILE: 'spike' }, { PROFILE: expect.objectContaining({ rate: 1000 }) as unknown }],
    [{}, { CONNECTION_SECONDS: 60, BATCH_SIZE: 50, CHANNELS: ['load-test', 'stress-test'], RUN_SECONDS: 180 }],
  ])('reads %j', (env, expected) => {
    expect(configWith(env as Env)).toMatchObject(expected);
  });

  it.each([{ PROFILE: 'huge' }, { SCENARIO: 'everybody' }, { DURATION: 'long' }])('refuses %j', (env) => {
    expect(() => configWith(env as unknown as Env)).toThrow(Object.values(env)[0]);
  });
});

it('the scripts import nothing but k6 and each other', () => {
  const imports = SCRIPTS.flatMap((file) =>
    [...sources.get(file)!.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, from]) => ({ file, from: from! })),
  );
  expect(imports.length).toBeGreaterThan(20);
  const foreign = imports.filter(({ file, from }) =>
    from.startsWith('.') ? !existsSync(join(K6, file, '..', from)) : !/^k6(\/|$)/.test(from),
  );
  expect(foreign).toEqual([]);
  expect(TESTS.filter((name) => !SCRIPTS.includes(`${name}.js`))).toEqual([]);
});

describe('jwt-generator.js', () => {
  const signer = 'utils/jwt-generator.js';

  it('signs tokens that the service takes, each for its user', async () => {
    const users = ['load-user-1', 'load-user-2'];
    const tokens = evaluate(signer, `${JSON.stringify(users)}.map((user) => module.tokenFor(user))`, {
      JWT_SECRET: TEST_JWT_SECRET,
    }) as string[];
    const ara = await AraProcess.start();
    try {
      for (const token of tokens) {
        const client = await WsClient.connect(`${ara.url.replace('http', 'ws')}/ws?token=${token}`);
        client.socket.send('{"type":"Ping"}');
        await client.inbox.next(({ type }) => type === 'pong');
      }
      for (const user of users) {
        const answer = await ara.get(`/api/v1/users/${user}/subscriptions`);
        expect(answer.json()).toMatchObject({ user_id: user, connection_count: 1 });
      }
    } finally {
      await ara.stop();
    }
  });

  it('falls back to the one token that it is given, and asks for one', () => {
    expect(evaluate(signer, `module.tokenFor('a')`, { JWT_TOKEN: 'given' })).toBe('given');
    expect(() => evaluate(signer, `module.tokenFor('a')`)).toThrow('JWT_SECRET');
  });
});

describe('the runner', () => {
  let tools: string;
  let runs: string;

  beforeAll(() => {
    tools = join(folder, 'tools');
    runs = join(folder, 'runs');
    mkdirSync(tools);
    // Instead of k6 and curl: write down what they are called with, and end as the environment says.
    command(
      'k6',
      `echo "$2 $PROFILE $API_HOST $WS_HOST $JWT_SECRET $API_KEY" >> '${runs}'\nexit "\${K6_ENDS_WITH:-0}"`,
    );
    command('curl', `echo "$*" >> '${runs}'\nexit "\${CURL_ENDS_WITH:-0}"`);
    writeFileSync(join(folder, '.env'), 'JWT_SECRET=of-the-file\nAPI_KEY=key-of-the-file\n');
  });

  beforeEach(() => {
    writeFileSync(runs, '');
  });

  function command(name: string, script: string): void {
    writeFileSync(join(tools, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(tools, name), 0o755);
  }

  function run(args: string[], env: Env = {}): { code: number | null; output: string; ran: string[]; asked: string[] } {
    const { status, stdout, stderr } = spawnSync('bash', [join(folder, 'k6/run.sh'), ...args], {
      encoding: 'utf8',
      env: { PATH: `${tools}${delimiter}${process.env['PATH'] ?? ''}`, ...env },
    });
    const lines = readFileSync(runs, 'utf8').split('\n');
    return {
      code: status,
      output: stdout + stderr,
      ran: lines.filter((line) => line.includes('.js ')).map((line) => line.replace(/^.*\/k6\//, '')),
      asked: lines.filter((line) => line.endsWith('/health')),
    };
  }

  it('tells how it is used', () => {
    const { code, output, ran } = run(['--help']);
    expect(code).toBe(0);
    for (const name of [...TESTS, 'ws', 'http', 'batch', 'e2e', 'all', ...Object.keys(configWith().PROFILES)])
      expect(output).toMatch(new RegExp(`\\b${name}\\b`));
    expect(ran).toEqual([]);
  });

  it('runs all tests with the baseline, the health of the service first', () => {
    const { code, output, ran, asked } = run([]);
    expect({ code, output }).toMatchObject({ code: 0 });
    const rest = 'baseline localhost:8081 localhost:8081 of-the-file key-of-the-file';
    expect(ran).toEqual(TESTS.map((name) => `${name}.js ${rest}`));
    expect(asked).toEqual([expect.stringMatching(/ http:\/\/localhost:8081\/health$/)]);
  });

  it.each([
    ['ws', 'websocket'],
    ['http', 'http-api'],
    ['batch', 'batch-api'],
    ['e2e', 'e2e-load'],
    ...TESTS.map((name) => [name, name]),
  ])('%s runs %s', (name, script) => {
    const env = { HOST: 'one:1', API_HOST: 'two:2', JWT_SECRET: 's', API_KEY: 'k' };
    expect(run([name, 'high'], env).ran).toEqual([`${script}.js high two:2 one:1 s k`]);
  });

  it.each([
    ['an unknown test', ['everything'], {}, 2, 0],
    ['an unknown profile', ['ws', 'huge'], {}, 2, 0],
    ['no k6', ['ws'], { K6: 'no-such-k6' }, 2, 0],
    ['no service', ['ws'], { CURL_ENDS_WITH: '7' }, 2, 0],
    ['a threshold that is missed', ['all'], { K6_ENDS_WITH: '99' }, 1, 5],
    ['a test that the service is not set up for', ['sse'], { K6_ENDS_WITH: '108' }, 1, 1],
  ] as [string, string[], Env, number, number][])('%s', (_what, args, env, code, ran) => {
    const result = run(args, env);
    expect({ code: result.code, ran: result.ran.length }).toEqual({ code, ran });
  });

  it('goes on without SSE where the service leaves streams open, and says so', () => {
    command('k6', `echo "$2 $PROFILE" >> '${runs}'\ncase $2 in *sse.js) exit 108 ;; esac`);
    const { code, output } = run(['all', 'smoke']);
    expect(code).toBe(0);
    expect(output).toContain('could not be measured: sse');
  });

  it('for Windows knows the same tests and profiles', () => {
    const text = readFileSync(join(K6, 'run.bat'), 'utf8');
    expect(text).toContain(`"tests=${TESTS.join(' ')}"`);
    expect(text).toContain(`(${Object.keys(configWith().PROFILES).join(' ')})`);
  });
});
