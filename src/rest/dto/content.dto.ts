import { z } from 'zod';
import { addressedChannel, parseUserId } from '../../notification/ids';
import { PRIORITIES } from '../../notification/priority';

export const MAX_TTL_SECONDS = 4_294_967_295;

export const PriorityDto = z.enum(PRIORITIES).meta({ description: 'Who leaves a backlog first', example: 'High' });

export const TtlDto = z
  .int()
  .min(0)
  .max(MAX_TTL_SECONDS)
  .meta({ description: 'Seconds to live; 0 is never delivered', example: 3600 });

export const UserIdDto = z
  .string()
  .transform((raw, context) => {
    const user = parseUserId(raw);
    if (user !== undefined) return user;
    context.issues.push({
      code: 'custom',
      message: 'must be well-formed text of at most 255 UTF-8 bytes without U+0000',
      input: raw,
    });
    return z.NEVER;
  })
  .meta({
    description: 'At most 255 UTF-8 bytes, without U+0000',
    example: 'user-123',
    maxLength: 255,
    pattern: '^[^\\u0000]*$',
  });

export const ChannelDto = z
  .string()
  .transform(addressedChannel)
  .meta({ description: 'A channel without a subscriber reaches nobody', example: 'orders' });

const common = {
  priority: PriorityDto.nullish().meta({ description: 'Default: that of the template, else Normal' }),
  ttl: TtlDto.nullish().meta({ description: 'Default: that of the template, else none' }),
  correlation_id: z.string().nullish().meta({ description: 'Echoed in metadata', example: 'order-42' }),
};

const TemplatedContent = z.object({
  ...common,
  template_id: z.string().meta({ example: 'order-shipped' }),
  variables: z.unknown().optional().meta({ description: 'An object; absent, null and [] stand for none' }),
});

const DirectContent = z.object({
  ...common,
  event_type: z.string().meta({ example: 'order.created' }),
  payload: z.unknown().meta({ description: 'Any JSON, carried as it was written', example: { order_id: 42 } }),
});

/** What every sending request and batch item says, whatever its target. */
export type ContentDto = z.output<typeof TemplatedContent> | z.output<typeof DirectContent>;

/** The two ways to say what happened, beside these further fields. The first wins whenever `template_id` is a string. */
// oxlint-disable-next-line typescript/explicit-module-boundary-types -- what zod infers is the point
export function contentSchemas<Shape extends z.ZodRawShape>(shape: Shape) {
  return { templated: TemplatedContent.extend(shape), direct: DirectContent.extend(shape) };
}

/** The schema that a body is meant for. */
export function chosen<Templated, Direct>(
  schemas: { readonly templated: Templated; readonly direct: Direct },
  value: unknown,
): Templated | Direct {
  const isTemplated =
    typeof value === 'object' && value !== null && 'template_id' in value && typeof value.template_id === 'string';
  return isTemplated ? schemas.templated : schemas.direct;
}
