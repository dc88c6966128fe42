import { Clock } from '../notification/clock';
import { DEFAULT_TENANT, parseTenantId } from '../notification/ids';
import { toRawJson } from '../protocol/raw-json';
import { MemoryTemplateStore } from './memory-template.store';
import type { TemplateDraft } from './template';
import { TemplateService } from './template.service';

class SettableClock extends Clock {
  time = Date.UTC(2026, 0, 2, 3, 4, 5, 6);

  now(): number {
    return this.time;
  }
}

const tenant = DEFAULT_TENANT;
const draft: TemplateDraft = {
  id: 'order-shipped',
  name: '訂單出貨通知',
  eventType: 'order.{{state}}',
  payloadTemplate: toRawJson({ title: 'Order {{id}}' }),
  defaultPriority: 'High',
  defaultTtl: 86_400,
};

describe('TemplateService', () => {
  let clock: SettableClock;
  let service: TemplateService;

  beforeEach(() => {
    clock = new SettableClock();
    service = new TemplateService(new MemoryTemplateStore(), clock);
  });

  it('creates with both times set, and only once', async () => {
    const now = '2026-01-02T03:04:05.006Z';
    const created = await service.create(tenant, draft);
    expect(created).toEqual({ ...draft, createdAt: now, updatedAt: now });
    expect(await service.get(tenant, draft.id)).toEqual(created);
    await expect(service.create(tenant, draft)).rejects.toMatchObject({
      reason: 'TEMPLATE_EXISTS',
      message: 'Template already exists: order-shipped',
    });
  });

  it.each(['', 'a'.repeat(65), 'a:b', 'a.b', 'a b', 'é', 'a\n', '../a', 'a\0'])('refuses the id %j', async (id) => {
    await expect(service.create(tenant, { ...draft, id })).rejects.toMatchObject({ reason: 'INVALID_ID' });
    await expect(service.get(tenant, id)).rejects.toMatchObject({ reason: 'TEMPLATE_NOT_FOUND' });
    await expect(service.remove(tenant, id)).rejects.toMatchObject({ reason: 'TEMPLATE_NOT_FOUND' });
  });

  it.each(['a', 'A_9-z', '__proto__', 'constructor', 'a'.repeat(64)])('accepts the id %j', async (id) => {
    await expect(service.get(tenant, id)).rejects.toMatchObject({ reason: 'TEMPLATE_NOT_FOUND' });
    await service.create(tenant, { ...draft, id });
    expect((await service.list(tenant)).map((template) => template.id)).toEqual([id]);
  });

  it('measures name and event type in bytes, when creating and when updating', async () => {
    await service.create(tenant, { ...draft, name: 'é'.repeat(128), eventType: 'é'.repeat(64) });
    for (const wrong of [
      { name: '' },
      { name: `${'é'.repeat(128)}x` },
      { eventType: '' },
      { eventType: `${'é'.repeat(64)}x` },
    ]) {
      await expect(service.create(tenant, { ...draft, id: 'x', ...wrong })).rejects.toMatchObject({
        reason: 'INVALID_TEMPLATE',
      });
      await expect(service.update(tenant, draft.id, wrong)).rejects.toMatchObject({ reason: 'INVALID_TEMPLATE' });
    }
    expect(await service.list(tenant)).toHaveLength(1);
  });

  it('updates what is given and keeps the rest; the time of change moves even within a millisecond', async () => {
    const created = await service.create(tenant, { ...draft, description: 'before' });
    const updated = await service.update(tenant, draft.id, { description: 'after', defaultTtl: 0 });
    expect(updated).toEqual({ ...created, description: 'after', defaultTtl: 0, updatedAt: '2026-01-02T03:04:05.007Z' });
    clock.time += 60_000;
    expect((await service.update(tenant, draft.id, {})).updatedAt).toBe('2026-01-02T03:05:05.006Z');
  });

  it('lets concurrent updates all take effect', async () => {
    await service.create(tenant, draft);
    const names = Array.from({ length: 40 }, (_, index) => `name ${index}`);
    const results = await Promise.all([
      ...names.map((name) => service.update(tenant, draft.id, { name })),
      service.update(tenant, draft.id, { description: 'once' }),
    ]);
    expect(new Set(results.map((template) => template.updatedAt)).size).toBe(41);
    expect(await service.get(tenant, draft.id)).toMatchObject({ description: 'once', eventType: draft.eventType });
  });

  it('gives up on a store that never agrees, and does not bring back what was removed meanwhile', async () => {
    const store = new MemoryTemplateStore();
    const stubborn = new TemplateService(store, clock);
    await stubborn.create(tenant, draft);
    const replace = jest.spyOn(store, 'replace').mockResolvedValue(false);
    await expect(stubborn.update(tenant, draft.id, {})).rejects.toMatchObject({ reason: 'INTERNAL_ERROR' });
    replace.mockImplementationOnce(async () => !(await store.remove(tenant, draft.id)));
    await expect(stubborn.update(tenant, draft.id, {})).rejects.toMatchObject({ reason: 'TEMPLATE_NOT_FOUND' });
  });

  it('says 404 for what is not there', async () => {
    for (const attempt of [
      service.get(tenant, 'gone'),
      service.update(tenant, 'gone', {}),
      service.remove(tenant, 'gone'),
      service.preview(tenant, 'gone', {}),
    ]) {
      await expect(attempt).rejects.toMatchObject({
        reason: 'TEMPLATE_NOT_FOUND',
        message: 'Template not found: gone',
      });
    }
    await service.create(tenant, draft);
    await service.remove(tenant, draft.id);
    await expect(service.get(tenant, draft.id)).rejects.toMatchObject({ reason: 'TEMPLATE_NOT_FOUND' });
  });

  it('resolves to the content of a notification: the event type as it is, priority and ttl of the template', async () => {
    await service.create(tenant, draft);
    const variables = toRawJson({ id: 'ORD-1', state: 'shipped' });
    expect(await service.resolve(tenant, draft.id, { variables })).toMatchObject({
      eventType: 'order.{{state}}',
      payload: '{"title":"Order ORD-1"}',
      priority: 'High',
      ttlSeconds: 86_400,
    });
  });

  it('lets the request win over the template, a ttl of 0 included', async () => {
    await service.create(tenant, draft);
    const content = await service.resolve(tenant, draft.id, { priority: 'Low', ttlSeconds: 0 });
    expect(content).toMatchObject({ priority: 'Low', ttlSeconds: 0, payload: '{"title":"Order {{id}}"}' });
  });

  it('has no ttl when neither names one', async () => {
    const { id, name, eventType, payloadTemplate, defaultPriority } = draft;
    await service.create(tenant, { id, name, eventType, payloadTemplate, defaultPriority });
    expect(await service.resolve(tenant, draft.id, {})).not.toHaveProperty('ttlSeconds');
  });

  it('calls an unknown template in a send a fault of the request', async () => {
    for (const id of ['gone', 'a:b', '']) {
      await expect(service.resolve(tenant, id, {})).rejects.toMatchObject({
        reason: 'VALIDATION_ERROR',
        message: `Template not found: ${id}`,
        details: { template_id: id },
      });
    }
    await service.create(tenant, draft);
    await expect(service.resolve(tenant, draft.id, { variables: toRawJson('x') })).rejects.toMatchObject({
      reason: 'VALIDATION_ERROR',
      message: 'Variable substitution failed: Variables must be an object',
    });
  });

  it('previews with the variables that were missing or unused', async () => {
    await service.create(tenant, draft);
    expect(await service.preview(tenant, draft.id, { variables: toRawJson({ order: 1 }) })).toMatchObject({
      payload: '{"title":"Order {{id}}"}',
      missing: ['id'],
      unused: ['order'],
    });
  });

  it('renders the new text right after an update', async () => {
    await service.create(tenant, draft);
    await service.resolve(tenant, draft.id, {});
    await service.update(tenant, draft.id, { payloadTemplate: toRawJson(['{{id}}']) });
    expect((await service.resolve(tenant, draft.id, { variables: toRawJson({ id: 7 }) })).payload).toBe('["7"]');
  });

  it('shows no tenant the templates of another', async () => {
    const other = parseTenantId('acme')!;
    await service.create(tenant, draft);
    expect(await service.list(other)).toEqual([]);
    await expect(service.resolve(other, draft.id, {})).rejects.toMatchObject({ reason: 'VALIDATION_ERROR' });
    await service.create(other, { ...draft, name: 'theirs' });
    expect(await service.get(tenant, draft.id)).toMatchObject({ name: draft.name });
  });
});
