import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Parser } from '@asyncapi/parser';
import { createApplication } from '../../src/application';
import { loadConfig } from '../../src/config/load-config';
import { AraHttpAdapter } from '../../src/http/ara-http.adapter';
import { parseClientMessage } from '../../src/protocol/client-message';
import {
  type AsyncApi,
  type AsyncApiMessage,
  DocumentValidator,
  type OpenApi,
  resolve,
  type Schema,
} from '../support/api-documents';
import { AraProcess } from '../support/ara-process';
import { http } from '../support/http';
import { TEST_JWT_SECRET } from '../support/tokens';

const ROOT = join(__dirname, '../..');
const GOLDEN = join(ROOT, 'test/protocol/golden');

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const sorted = (names: Iterable<string>): string[] => [...new Set(names)].sort();
const matches = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([, found]) => found!);
const golden = (folder: string): [file: string, text: string][] =>
  readdirSync(join(GOLDEN, folder)).map((file) => [file, readFileSync(join(GOLDEN, folder, file), 'utf8')]);

let openApi: OpenApi;
let asyncApi: AsyncApi;
let messages: DocumentValidator;
const served: Record<string, string> = {};
let ara: AraProcess;

beforeAll(async () => {
  ara = await AraProcess.start();
  for (const name of ['openapi.json', 'asyncapi.json']) {
    // Without a key: they are public.
    served[name] = (await http('GET', ara.url, `/${name}`)).text;
    if (process.env['UPDATE_DOCS'] === '1') {
      const path = join(ROOT, 'docs', name);
      writeFileSync(path, served[name]);
      execFileSync(process.execPath, [join(ROOT, 'node_modules/oxfmt/bin/oxfmt'), path]);
    }
  }
  openApi = JSON.parse(served['openapi.json']!) as OpenApi;
  asyncApi = JSON.parse(served['asyncapi.json']!) as AsyncApi;
  messages = new DocumentValidator(asyncApi.components);
}, 60_000);

afterAll(() => ara.stop());

describe('the documents of the API', () => {
  it.each(['openapi.json', 'asyncapi.json'])(
    'docs/%s is what the service serves (UPDATE_DOCS=1 writes it anew)',
    (name) => {
      expect(JSON.stringify(JSON.parse(read(`docs/${name}`)))).toBe(served[name]);
    },
  );

  it('openapi.json is valid OpenAPI 3.1, with the null of JSON Schema', () => {
    expect(openApi.openapi).toMatch(/^3\.1\./);
    expect(served['openapi.json']).not.toContain('"nullable"');
    // The validator is an ES module, which jest does not load.
    const validator = join(ROOT, 'node_modules/@seriousme/openapi-schema-validator/bin/validate-api-cli.js');
    const verdict = execFileSync(process.execPath, [validator, join(ROOT, 'docs/openapi.json')], { encoding: 'utf8' });
    expect(JSON.parse(verdict)).toEqual({ valid: true });
  });

  it('asyncapi.json is valid AsyncAPI 3.0', async () => {
    const { document, diagnostics } = await new Parser().parse(served['asyncapi.json']!);
    const problems = diagnostics.filter(({ code }) => code !== 'asyncapi-latest-version');
    expect(problems.map(({ code, message, path }) => `${code} ${path.join('.')}: ${message}`)).toEqual([]);
    expect(document?.version()).toBe('3.0.0');
  });

  it('refer to nothing that is not there, and hold nothing that nobody refers to', () => {
    for (const document of [openApi, asyncApi]) {
      const references = sorted(matches(JSON.stringify(document), /"\$ref":"#\/([^"]*)"/g));
      expect(references.filter((path) => resolve(document, { $ref: `#/${path}` }) === undefined)).toEqual([]);
      const schemas = Object.keys(document.components.schemas).map((name) => `components/schemas/${name}`);
      expect(schemas.filter((path) => !references.includes(path))).toEqual([]);
    }
  });
});

describe('openapi.json', () => {
  it('lists every route of the service with its verbs, and no other', async () => {
    const { config } = loadConfig({ env: { JWT_SECRET: TEST_JWT_SECRET, LOG_LEVEL: 'silent' }, cwd: ara.cwd });
    const app = await createApplication(config);
    await app.init();
    const adapter = app.getHttpAdapter();
    const routes = adapter instanceof AraHttpAdapter ? adapter.routes.routes : [];
    const running = routes.flatMap(({ pattern, methods }) =>
      // HEAD goes without saying.
      [...methods].filter((verb) => verb !== 'HEAD').map((verb) => `${verb} ${pattern.replace(/:(\w+)/g, '{$1}')}`),
    );
    await app.close();
    const documented = Object.entries(openApi.paths).flatMap(([path, verbs]) =>
      Object.keys(verbs).map((verb) => `${verb.toUpperCase()} ${path}`),
    );
    expect(running.length).toBeGreaterThan(25);
    expect(sorted(documented)).toEqual(sorted(running));
  });

  it('names every error code, with the status that the service gives it', () => {
    const reasons = membersOf('ErrorReason', 'src/notification/ara-error.ts');
    expect(reasons.length).toBeGreaterThan(20);
    const codes = Object.keys(openApi.components.responses).flatMap((name) => name.split('.').slice(1));
    // The shape of a body has a reason of its own and shares the code of all validation.
    expect(sorted(codes.filter((code) => code !== 'open'))).toEqual(
      sorted(reasons.filter((reason) => reason !== 'INVALID_SHAPE')),
    );
    expect(Object.keys(openApi.components.responses)).toContain('422.VALIDATION_ERROR');
  });

  it('says of every operation how to get in, and what it answers without a key', () => {
    for (const [path, verbs] of Object.entries(openApi.paths)) {
      for (const operation of Object.values(verbs)) {
        const asksForKey = operation.security.some((scheme) => 'apiKey' in scheme);
        expect([path, asksForKey]).toEqual([path, path === '/stats' || path.startsWith('/api/')]);
        if (asksForKey) expect(operation.responses['401']).toEqual({ $ref: '#/components/responses/401.UNAUTHORIZED' });
      }
    }
  });
});

describe('asyncapi.json', () => {
  const message = (name: string): AsyncApiMessage => asyncApi.components.messages[name]!;
  const complaint = ({ payload }: AsyncApiMessage, value: unknown): string | undefined =>
    messages.complaint(payload, value);
  const namesOf = (action: 'send' | 'receive'): string[] =>
    Object.values(asyncApi.operations)
      .filter((operation) => operation.action === action && operation.channel.$ref === '#/channels/webSocket')
      .flatMap((operation) => operation.messages.map(({ $ref }) => $ref.slice($ref.lastIndexOf('/') + 1)));
  const propertiesOf = (schema: Schema | undefined): string[] => sorted(Object.keys(schema?.properties ?? {}));

  it('has every frame that a client may be sent, and no other', () => {
    const sent = golden('websocket').map(([, text]) => (JSON.parse(text) as { type: string }).type);
    expect(sorted(namesOf('send'))).toEqual(sorted(sent));
  });

  it.each(golden('websocket'))('websocket/%s is as described', (_, text) => {
    const frame = JSON.parse(text) as { type: string };
    expect(complaint(message(frame.type), frame)).toBeUndefined();
    expect(complaint(message(frame.type), { ...frame, type: 'another' })).toBeDefined();
  });

  it('has every SSE event, with the lines that it carries', () => {
    for (const [file, text] of golden('sse')) {
      const { fields, data } = sseEvent(text);
      // These frames answer a client's messages, which a stream cannot send.
      if (['pong', 'acked', 'subscribed', 'unsubscribed'].includes(data.type)) continue;
      const event = message(`sse-${fields['event']}`);
      expect([file, complaint(event, data)]).toEqual([file, undefined]);
      expect([file, sorted(Object.keys(fields))]).toEqual([file, sorted(event.headers?.required ?? [])]);
      expect([file, event.headers?.properties?.['event']?.const]).toEqual([file, fields['event']]);
    }
    const events = golden('sse').map(([, text]) => `sse-${sseEvent(text).fields['event']}`);
    expect(sorted(Object.keys(asyncApi.channels['sse']!.messages))).toEqual(sorted(events));
  });

  it('names every error code that a client may read', () => {
    const codes = membersOf('ClientErrorCode', 'src/protocol/server-message.ts');
    const described = asyncApi.components.schemas['ErrorFrame']?.properties?.['code']?.enum as string[];
    expect(sorted(described)).toEqual(sorted(codes));
    expect(codes.length).toBeGreaterThan(5);
  });

  it('has every message of a client, with examples that the service understands', () => {
    const kinds = matches(read('src/protocol/client-message.ts'), /^ {4}case '(\w+)':/gm);
    expect(sorted(namesOf('receive'))).toEqual(sorted(kinds));
    for (const kind of kinds) {
      for (const { payload } of message(kind).examples) {
        expect(complaint(message(kind), payload)).toBeUndefined();
        expect(parseClientMessage(JSON.stringify(payload)).kind).toBe(kind.toLowerCase());
      }
    }
  });

  it('has every field of a trigger', () => {
    const source = read('src/protocol/trigger-message.ts');
    const variants = asyncApi.components.schemas['Trigger']?.oneOf ?? [];
    expect(variants).toHaveLength(5);
    for (const variant of variants) {
      expect(propertiesOf(variant)).toEqual(sorted(matches(source, /\bmessage\['(\w+)'\]/g)));
    }
    // The payload is taken as text, not as a value.
    const ofEvent = [...matches(source, /\bevent\['(\w+)'\]/g), 'payload'];
    expect(propertiesOf(asyncApi.components.schemas['TriggerEvent'])).toEqual(sorted(ofEvent));
  });

  const triggers = golden('trigger').filter(
    ([file]) => file.endsWith('.in.json') && file !== 'invalid-not-json.in.json',
  );

  it.each(triggers)('trigger/%s is judged alike', (file, text) => {
    // No schema sees that a key comes twice.
    const isInvalid = file.startsWith('invalid-') && file !== 'invalid-repeated-key.in.json';
    expect(complaint(message('trigger'), JSON.parse(text)) !== undefined).toBe(isInvalid);
  });
});

describe('the pages', () => {
  it('take all that they need from the service itself', async () => {
    const page = await http('GET', ara.url, '/docs');
    expect(page.status).toBe(200);
    const policy = page.headers['content-security-policy'];
    // Served over plain HTTP as well, where an upgrade would break it; scripts come from here only.
    expect(policy).toContain("script-src 'self'");
    expect(policy).not.toContain('upgrade-insecure-requests');
    expect(page.text).not.toMatch(/<script>|\son\w+=|https?:\/\//);
    const assets = matches(page.text, /(?:src|href)="([^"]*)"/g);
    expect(assets.length).toBeGreaterThan(4);
    for (const path of assets) expect([path, (await http('GET', ara.url, path)).status]).toEqual([path, 200]);
    expect((await http('GET', ara.url, '/docs/start.js')).text).toContain("url: '/openapi.json'");
  });

  it('show every message', async () => {
    const { text } = await http('GET', ara.url, '/docs/messages');
    for (const { title, examples } of Object.values(asyncApi.components.messages)) {
      expect(text).toContain(`<h4>${title}</h4>`);
      expect(examples).toHaveLength(1);
    }
    for (const name of Object.keys(asyncApi.components.schemas)) expect(text).toContain(`<h3 id="${name}">`);
  });

  it('serve no other file', async () => {
    for (const path of ['/docs/package.json', '/docs/..%2fpackage.json', '/docs/%2e%2e%2f%2e%2e%2fpackage.json']) {
      expect([path, (await http('GET', ara.url, path)).status]).toEqual([path, 404]);
    }
  });

  it('are unknown paths where they are off', async () => {
    const hidden = await AraProcess.start({ DOCS_ENABLED: 'false' });
    for (const path of ['/docs', '/docs/messages', '/openapi.json', '/asyncapi.json']) {
      expect([path, (await http('GET', hidden.url, path)).status]).toEqual([path, 401]);
      expect([path, (await hidden.get(path)).status]).toEqual([path, 404]);
    }
    await hidden.stop();
  });
});

/** The members of a union of string literals. */
function membersOf(union: string, file: string): string[] {
  const [, text = ''] = new RegExp(`export type ${union} =([^;]*);`).exec(read(file)) ?? [];
  return matches(text, /'(\w+)'/g);
}

function sseEvent(text: string): { fields: Record<string, string>; data: { type: string } } {
  const lines = text.trimEnd().split('\n');
  const { data, ...fields } = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
  );
  return { fields, data: JSON.parse(data ?? '') as { type: string } };
}
