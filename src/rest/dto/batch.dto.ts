import { z } from 'zod';
import { contentSchemas, ChannelDto, UserIdDto } from './content.dto';

/** The longest batch. */
export const MAX_ITEMS = 100;

/** PHP writes an empty object as `[]`. */
const emptyArray = z.array(z.unknown()).max(0);

/** A target whose value may stand under several names; the first that is there counts. */
function target<Type extends string, Value extends z.ZodType>(type: Type, value: Value, names: readonly string[]) {
  const spellings: Record<string, z.ZodOptional<z.ZodNullable<Value>>> = {};
  for (const name of names) spellings[name] = value.nullish();
  return z.object({ type: z.literal(type), ...spellings }).transform((dto, context) => {
    const fields: Readonly<Record<string, unknown>> = dto;
    const found = names.map((name) => fields[name]).find((field) => field !== undefined && field !== null);
    if (found !== undefined) return { type, value: found as z.output<Value> };
    context.issues.push({ code: 'custom', message: 'required', path: [names[0] ?? 'value'], input: dto });
    return z.NEVER;
  });
}

export const TargetDto = z
  .discriminatedUnion('type', [
    target('user', UserIdDto, ['value', 'id', 'user_id']),
    target('users', z.array(UserIdDto), ['value', 'ids', 'user_ids']),
    z
      .object({ type: z.literal('broadcast'), value: z.union([z.null(), emptyArray]).optional() })
      .transform(() => ({ type: 'broadcast' as const })),
    target('channel', ChannelDto, ['value', 'name', 'channel']),
    target('channels', z.array(ChannelDto), ['value', 'names', 'channels']),
  ])
  .meta({ id: 'Target', description: 'Whom an item is for', example: { type: 'user', value: 'user-123' } });

export type TargetDto = z.output<typeof TargetDto>;

export const BATCH_ITEM = contentSchemas({ target: TargetDto });
export type BatchItemDto = z.output<typeof BATCH_ITEM.templated> | z.output<typeof BATCH_ITEM.direct>;

const flag = z.boolean().nullish();

const BatchOptions = z
  .union([z.object({ stop_on_error: flag, deduplicate: flag, atomic: flag }), emptyArray])
  .nullish()
  .meta({ description: 'Absent, null and [] stand for none' });

/** The request around its items, which are validated one by one, each against the schema that it is meant for. */
export const BatchEnvelope = z.object({
  notifications: z.array(z.unknown()),
  options: BatchOptions,
  atomic: flag.meta({ description: 'All or none; wins over stop_on_error' }),
});

/** The whole request, for documents. */
export const BatchRequest = BatchEnvelope.extend({
  notifications: z
    .array(z.union([BATCH_ITEM.templated, BATCH_ITEM.direct]).meta({ id: 'BatchItem' }))
    .min(1)
    .max(MAX_ITEMS),
}).meta({ id: 'BatchRequest' });

const count = z.int().min(0);

export const BatchItemResult = z
  .object({
    index: count,
    notification_id: z.uuid().meta({ description: 'The nil UUID when nothing was dispatched' }),
    delivered_to: count,
    failed: count,
    success: z.boolean(),
    queued: z.literal(true).optional(),
    durable: z.literal(true).optional().meta({ description: 'A durable store took it for everybody it is for' }),
    skipped: z.literal(true).optional(),
    error: z.string().optional(),
  })
  .meta({ id: 'BatchItemResult' });

export const BatchResponse = z
  .object({
    batch_id: z.string().meta({ example: 'batch-01936b2e-0000-7000-8000-000000000000' }),
    results: z.array(BatchItemResult).meta({ description: 'One per item, in their order' }),
    summary: z.object({ total: count, succeeded: count, failed: count, skipped: count, total_delivered: count }),
    successful: count.meta({ description: 'summary.succeeded' }),
    failed: count.meta({ description: 'summary.failed' }),
    timestamp: z.iso.datetime(),
  })
  .meta({ id: 'BatchResponse' });

export type BatchItemResult = z.output<typeof BatchItemResult>;
export type BatchResponse = z.output<typeof BatchResponse>;
