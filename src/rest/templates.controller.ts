import { Controller, Delete, Get, Header, HttpCode, Param, Post, Put } from '@nestjs/common';
import { DEFAULT_PRIORITY } from '../notification/priority';
import { toRawJson } from '../protocol/raw-json';
import type { TemplateChanges, TemplateDraft } from '../template/template';
import { TemplateService } from '../template/template.service';
import { bareName } from '../tenant/tenant-context';
import { ATTRIBUTE, SPAN, type SpanName } from '../telemetry/span-names';
import { Tracer } from '../telemetry/tracer';
import { CreateTemplateRequest, RenderTemplateRequest, UpdateTemplateRequest } from './dto/template.dto';
import { validate } from './dto/validate';
import { Exchange } from './exchange';
import { Knock } from './exchange.decorator';
import { previewJson, templateJson, templateListJson } from './template-json';

const JSON_TYPE = 'application/json; charset=utf-8';

/** Templates of the caller's tenant. Answers are JSON text made here, see template-json. */
@Controller('api/v1/templates')
export class TemplatesController {
  constructor(
    private readonly templates: TemplateService,
    private readonly tracer: Tracer,
  ) {}

  @Post()
  @HttpCode(201)
  @Header('Content-Type', JSON_TYPE)
  async create(@Knock() exchange: Exchange): Promise<string> {
    const draft = draftOf(exchange);
    const template = await this.#trace(SPAN.createTemplate, exchange, draft.id, () =>
      this.templates.create(exchange.requiredTenant, draft),
    );
    return templateJson(template);
  }

  @Get()
  @Header('Content-Type', JSON_TYPE)
  async list(@Knock() exchange: Exchange): Promise<string> {
    const templates = await this.tracer.trace(
      SPAN.listTemplates,
      () => this.templates.list(exchange.requiredTenant),
      exchange.traceparent,
    );
    return templateListJson(templates);
  }

  @Get(':id')
  @Header('Content-Type', JSON_TYPE)
  async get(@Knock() exchange: Exchange, @Param('id') id: string): Promise<string> {
    const template = await this.#trace(SPAN.getTemplate, exchange, id, (bare) =>
      this.templates.get(exchange.requiredTenant, bare),
    );
    return templateJson(template);
  }

  @Put(':id')
  @Header('Content-Type', JSON_TYPE)
  async update(@Knock() exchange: Exchange, @Param('id') id: string): Promise<string> {
    const changes = changesOf(exchange);
    const template = await this.#trace(SPAN.updateTemplate, exchange, id, (bare) =>
      this.templates.update(exchange.requiredTenant, bare, changes),
    );
    return templateJson(template);
  }

  @Delete(':id')
  @HttpCode(204)
  remove(@Knock() exchange: Exchange, @Param('id') id: string): Promise<void> {
    return this.#trace(SPAN.deleteTemplate, exchange, id, (bare) =>
      this.templates.remove(exchange.requiredTenant, bare),
    );
  }

  /** A dry run: what would be sent, and which variables were missing or unused. */
  @Post(':id/render')
  @HttpCode(200)
  @Header('Content-Type', JSON_TYPE)
  async render(@Knock() exchange: Exchange, @Param('id') id: string): Promise<string> {
    const { requiredBody: body, requiredTenant: tenant } = exchange;
    const dto = validate(RenderTemplateRequest, body.value);
    const preview = await this.templates.preview(tenant, bareName(tenant, id), {
      variables: body.raw('variables'),
      priority: dto.priority ?? undefined,
      ttlSeconds: dto.ttl ?? undefined,
    });
    return previewJson(preview);
  }

  #trace<T>(name: SpanName, exchange: Exchange, id: string, work: (bareId: string) => Promise<T>): Promise<T> {
    return this.tracer.trace(
      name,
      (span) => {
        span.set(ATTRIBUTE.templateId, id);
        return work(bareName(exchange.requiredTenant, id));
      },
      exchange.traceparent,
    );
  }
}

function draftOf({ requiredBody: body }: Exchange): TemplateDraft {
  const dto = validate(CreateTemplateRequest, body.value);
  const defaultTtl = dto.default_ttl ?? dto.ttl ?? undefined;
  const description = dto.description ?? undefined;
  return {
    id: dto.id,
    name: dto.name,
    eventType: dto.event_type,
    payloadTemplate: body.raw('payload_template') ?? toRawJson(dto.payload_template),
    defaultPriority: dto.default_priority ?? dto.priority ?? DEFAULT_PRIORITY,
    ...(defaultTtl !== undefined && { defaultTtl }),
    ...(description !== undefined && { description }),
  };
}

/** What is absent or null stays as it is. */
function changesOf({ requiredBody: body }: Exchange): TemplateChanges {
  const dto = validate(UpdateTemplateRequest, body.value);
  const name = dto.name ?? undefined;
  const eventType = dto.event_type ?? undefined;
  const payloadTemplate = dto.payload_template === null ? undefined : body.raw('payload_template');
  const defaultPriority = dto.default_priority ?? dto.priority ?? undefined;
  const defaultTtl = dto.default_ttl ?? dto.ttl ?? undefined;
  const description = dto.description ?? undefined;
  return {
    ...(name !== undefined && { name }),
    ...(eventType !== undefined && { eventType }),
    ...(payloadTemplate !== undefined && { payloadTemplate }),
    ...(defaultPriority !== undefined && { defaultPriority }),
    ...(defaultTtl !== undefined && { defaultTtl }),
    ...(description !== undefined && { description }),
  };
}
