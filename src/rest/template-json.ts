import type { Template } from '../template/template';
import type { TemplatePreview } from '../template/template.service';
import type { RawJson } from '../protocol/raw-json';

/**
 * A template as JSON text. Its payload is put in as the text that it is: made into a value and back it would lose the
 * digits of large numbers.
 */
export function templateJson(template: Template): string {
  const { defaultPriority, defaultTtl } = template;
  return objectJson(
    {
      id: template.id,
      name: template.name,
      event_type: template.eventType,
      default_priority: defaultPriority,
      default_ttl: defaultTtl,
      description: template.description,
      created_at: template.createdAt,
      updated_at: template.updatedAt,
      priority: defaultPriority,
      ttl: defaultTtl,
    },
    { key: 'payload_template', json: template.payloadTemplate },
  );
}

export function templateListJson(templates: readonly Template[]): string {
  return `{"templates":[${templates.map(templateJson).join(',')}],"total":${templates.length}}`;
}

export function previewJson(preview: TemplatePreview): string {
  return objectJson(
    {
      event_type: preview.eventType,
      priority: preview.priority,
      ttl: preview.ttlSeconds,
      missing_variables: preview.missing,
      unused_variables: preview.unused,
    },
    { key: 'payload', json: preview.payload },
  );
}

function objectJson(fields: Readonly<Record<string, unknown>>, raw: { key: string; json: RawJson }): string {
  return `${JSON.stringify(fields).slice(0, -1)},"${raw.key}":${raw.json}}`;
}
