import { z } from 'zod';
import { PriorityDto, TtlDto } from './content.dto';

const priorityAndTtl = {
  default_priority: PriorityDto.nullish(),
  default_ttl: TtlDto.nullish(),
  priority: PriorityDto.nullish().meta({ description: 'Another name for default_priority, which wins' }),
  ttl: TtlDto.nullish().meta({ description: 'Another name for default_ttl, which wins' }),
};

export const CreateTemplateRequest = z
  .object({
    id: z.string().meta({ description: '1-64 of A-Z, a-z, 0-9, - and _', example: 'order-shipped' }),
    name: z.string().meta({ description: '1-256 bytes', example: 'Order shipped' }),
    event_type: z.string().meta({ description: '1-128 bytes', example: 'order.shipped' }),
    payload_template: z.unknown().meta({
      description: 'Any JSON; {{name}} in keys and strings is filled',
      example: { text: 'Order {{order_id}} is on its way' },
    }),
    description: z.string().nullish(),
    ...priorityAndTtl,
  })
  .meta({ id: 'CreateTemplateRequest' });

export const UpdateTemplateRequest = z
  .object({
    name: z.string().nullish(),
    event_type: z.string().nullish(),
    payload_template: z.unknown().optional(),
    description: z.string().nullish(),
    ...priorityAndTtl,
  })
  .meta({ id: 'UpdateTemplateRequest', description: 'What is absent or null stays as it is' });

export const RenderTemplateRequest = z
  .object({
    variables: z.unknown().optional().meta({ description: 'An object; absent, null and [] stand for none' }),
    priority: PriorityDto.nullish(),
    ttl: TtlDto.nullish(),
  })
  .meta({ id: 'RenderTemplateRequest' });

export const TemplateResponse = z
  .object({
    id: z.string(),
    name: z.string(),
    event_type: z.string(),
    payload_template: z.unknown(),
    default_priority: PriorityDto,
    default_ttl: TtlDto.optional(),
    description: z.string().optional(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
    priority: PriorityDto.meta({ description: 'default_priority' }),
    ttl: TtlDto.optional().meta({ description: 'default_ttl' }),
  })
  .meta({ id: 'Template' });

export const TemplateListResponse = z
  .object({ templates: z.array(TemplateResponse), total: z.int().min(0) })
  .meta({ id: 'TemplateList' });

export const RenderTemplateResponse = z
  .object({
    event_type: z.string(),
    payload: z.unknown(),
    priority: PriorityDto,
    ttl: TtlDto.optional(),
    missing_variables: z.array(z.string()).meta({ description: 'Placeholders that no variable fills' }),
    unused_variables: z.array(z.string()).meta({ description: 'Variables that fill nothing' }),
  })
  .meta({ id: 'RenderedTemplate' });
