import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { DEFAULT_TENANT, parseTenantId, type TenantId } from '../../src/notification/ids';
import { PRIORITIES } from '../../src/notification/priority';
import { toRawJson, trustedRawJson } from '../../src/protocol/raw-json';
import type { Template } from '../../src/template/template';
import type { TemplateStore } from '../../src/template/template-store';

function template(id: string, version = 0, rest: Partial<Template> = {}): Template {
  return {
    id,
    name: `name of ${id}`,
    eventType: 'order.shipped',
    payloadTemplate: toRawJson({ id, version, text: '{{x}}' }),
    defaultPriority: 'Normal',
    createdAt: '2026-01-02T03:04:05.006Z',
    updatedAt: at(version),
    ...rest,
  };
}

function at(version: number): string {
  return new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 6) + version).toISOString();
}

/**
 * What every TemplateStore promises. `make` gives a store that was not opened yet; it may hold other tenants' templates,
 * for every test speaks of tenants of its own.
 */
export function describeTemplateStore(name: string, make: () => Promise<TemplateStore> | TemplateStore): void {
  describe(`TemplateStore: ${name}`, () => {
    let store: TemplateStore;
    let tenant: TenantId;

    beforeAll(async () => {
      store = await make();
      await store.open();
    });

    afterAll(() => store.close());

    beforeEach(() => {
      tenant = freshTenant();
    });

    it('keeps a template whole', async () => {
      const full = template('full', 0, {
        name: '訂單 😀 \u0000 \ud800 "quoted" \\ \n',
        eventType: '\u0000',
        payloadTemplate: trustedRawJson(
          '{"z":1.0,"big":12345678901234567890,"z":1e400,"__proto__":{"a":"\\u0000\\ud800\\/{{x}}"},"訂":[]}',
        ),
        defaultPriority: 'Critical',
        defaultTtl: 4_294_967_295,
        description: '',
      });
      expect(await store.create(tenant, full)).toBe(true);
      expect(await store.find(tenant, 'full')).toEqual(full);
      expect(await store.list(tenant)).toEqual([full]);
    });

    it('keeps what is unset unset, a ttl of 0, every priority, and the largest body', async () => {
      const templates = [
        ...PRIORITIES.map((defaultPriority) => template(defaultPriority, 0, { defaultPriority })),
        template('zero', 0, { defaultTtl: 0 }),
        template('large', 0, { payloadTemplate: toRawJson('x'.repeat(2 * 1024 * 1024)) }),
      ];
      for (const each of templates) {
        await store.create(tenant, each);
        const found = await store.find(tenant, each.id);
        expect(found).toEqual(each);
        expect(Object.keys(found!).sort()).toEqual(Object.keys(each).sort());
      }
    });

    it('creates an id once, also under contention', async () => {
      const rivals = Array.from({ length: 20 }, (_, version) => template('one', version));
      const outcomes = await Promise.all(rivals.map((rival) => store.create(tenant, rival)));
      expect(outcomes.filter(Boolean)).toHaveLength(1);
      expect(await store.find(tenant, 'one')).toEqual(rivals[outcomes.indexOf(true)]);
      expect(await store.create(tenant, template('one', 99))).toBe(false);
      expect(await store.find(tenant, 'one')).toEqual(rivals[outcomes.indexOf(true)]);
    });

    it('knows nothing of what is not there', async () => {
      expect(await store.find(tenant, 'none')).toBeUndefined();
      expect(await store.list(tenant)).toEqual([]);
      expect(await store.remove(tenant, 'none')).toBe(false);
      expect(await store.replace(tenant, template('none'), at(0))).toBe(false);
      expect(await store.find(tenant, 'none')).toBeUndefined();
    });

    it.each(['__proto__', 'constructor', 'A', 'a', '-', '_'.repeat(64)])(
      'has no template %j before it is created',
      async (id) => {
        expect(await store.find(tenant, id)).toBeUndefined();
        expect(await store.create(tenant, template(id))).toBe(true);
        expect(await store.find(tenant, id)).toEqual(template(id));
      },
    );

    it('lists by id, in the order of the characters, not of a language', async () => {
      const ids = ['b', 'a', 'B', '_', '-', '10', '9', 'a-b', 'ab', 'a_b'];
      for (const id of ids) await store.create(tenant, template(id));
      expect((await store.list(tenant)).map(({ id }) => id)).toEqual([...ids].sort());
    });

    it('lists hundreds', async () => {
      const ids = Array.from({ length: 300 }, (_, index) => `t-${index}`);
      await Promise.all(ids.map((id) => store.create(tenant, template(id))));
      expect((await store.list(tenant)).map(({ id }) => id)).toEqual([...ids].sort());
    });

    it('replaces the version that was expected, as a whole, and no other', async () => {
      await store.create(tenant, template('t', 0, { description: 'first', defaultTtl: 5 }));
      expect(await store.replace(tenant, template('t', 1), at(0))).toBe(true);
      expect(await store.find(tenant, 't')).toEqual(template('t', 1));
      expect(await store.replace(tenant, template('t', 2), at(0))).toBe(false);
      expect(await store.find(tenant, 't')).toEqual(template('t', 1));
    });

    it('lets one of several concurrent replacements win', async () => {
      await store.create(tenant, template('t'));
      const rivals = Array.from({ length: 20 }, (_, index) => template('t', index + 1));
      const outcomes = await Promise.all(rivals.map((rival) => store.replace(tenant, rival, at(0))));
      expect(outcomes.filter(Boolean)).toHaveLength(1);
      expect(await store.find(tenant, 't')).toEqual(rivals[outcomes.indexOf(true)]);
    });

    it('removes for good: no replacement brings it back, a creation may', async () => {
      await store.create(tenant, template('t'));
      const outcomes = await Promise.all([store.remove(tenant, 't'), store.remove(tenant, 't')]);
      expect(outcomes.filter(Boolean)).toHaveLength(1);
      expect(await store.replace(tenant, template('t', 1), at(0))).toBe(false);
      expect(await store.list(tenant)).toEqual([]);
      expect(await store.create(tenant, template('t', 2))).toBe(true);
      expect(await store.find(tenant, 't')).toEqual(template('t', 2));
    });

    it('keeps tenants apart, also where names glued together would be equal', async () => {
      const spellings = [
        ['', 'a_b_c'],
        ['_a', 'b_c'],
        ['_a_b', 'c'],
        ['-a', 'b'],
        ['.a', 'b'],
        ['租', 'a'],
      ] as const;
      const pairs = [
        ...spellings.map(([suffix, id]) => ({ owner: parseTenantId(`${tenant}${suffix}`)!, id })),
        { owner: DEFAULT_TENANT, id: randomUUID() },
      ];
      for (const { owner, id } of pairs) {
        expect(await store.create(owner, template(id, 0, { description: owner }))).toBe(true);
      }
      for (const { owner } of pairs) {
        const mine = await store.list(owner);
        if (owner !== DEFAULT_TENANT) expect(mine.map(({ description }) => description)).toEqual([owner]);
        for (const { id } of pairs) expect((await store.find(owner, id))?.description ?? owner).toBe(owner);
      }
      for (const { owner, id } of pairs) {
        expect(await store.find(owner, id)).toBeDefined();
        expect(await store.remove(owner, id)).toBe(true);
      }
    });

    it('does what a plain map would do, in any sequence', async () => {
      const id = fc.constantFrom('a', 'b');
      const version = fc.nat({ max: 3 });
      const step = fc.oneof(
        fc.record({ kind: fc.constant('create' as const), id, version }),
        fc.record({ kind: fc.constant('replace' as const), id, version, expected: version }),
        fc.record({ kind: fc.constant('remove' as const), id }),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
          const owner = freshTenant();
          const model = new Map<string, Template>();
          for (const action of steps) {
            const current = model.get(action.id);
            if (action.kind === 'create') {
              const created = template(action.id, action.version);
              expect(await store.create(owner, created)).toBe(current === undefined);
              if (current === undefined) model.set(action.id, created);
            } else if (action.kind === 'replace') {
              const next = template(action.id, action.version);
              const agrees = current?.updatedAt === at(action.expected);
              expect(await store.replace(owner, next, at(action.expected))).toBe(agrees);
              if (agrees) model.set(action.id, next);
            } else {
              expect(await store.remove(owner, action.id)).toBe(model.delete(action.id));
            }
          }
          expect(await store.list(owner)).toEqual([...model.values()].sort((x, y) => (x.id < y.id ? -1 : 1)));
        }),
        { numRuns: 100 },
      );
    });
  });
}

function freshTenant(): TenantId {
  return parseTenantId(`t${randomUUID()}`)!;
}
