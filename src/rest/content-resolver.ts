import { Injectable } from '@nestjs/common';
import type { JsonBody } from '../http/json-body';
import type { Eventual } from '../notification/eventual';
import type { TenantId } from '../notification/ids';
import { DEFAULT_PRIORITY } from '../notification/priority';
import { toRawJson } from '../protocol/raw-json';
import { TemplateService } from '../template/template.service';
import type { ContentDto } from './dto/content.dto';
import type { Content } from './to-delivery';

/** What a request says has happened: by a template, or directly with the payload's text as it came. */
@Injectable()
export class ContentResolver {
  constructor(private readonly templates: TemplateService) {}

  /** `dto` is what `body` was found to say. Rejects with VALIDATION_ERROR: unknown template, variables not an object. */
  resolve(tenant: TenantId, body: JsonBody, dto: ContentDto): Eventual<Content> {
    const ttlSeconds = dto.ttl ?? undefined;
    if ('template_id' in dto) {
      const variables = body.raw('variables');
      return this.templates.resolve(tenant, dto.template_id, {
        variables,
        priority: dto.priority ?? undefined,
        ttlSeconds,
      });
    }
    return {
      eventType: dto.event_type,
      payload: body.raw('payload') ?? toRawJson(dto.payload),
      priority: dto.priority ?? DEFAULT_PRIORITY,
      ttlSeconds,
    };
  }
}
