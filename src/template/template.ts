import { AraError } from '../notification/ara-error';
import type { Priority } from '../notification/priority';
import type { RawJson } from '../protocol/raw-json';

/** A notification with holes. Immutable; stores keep it whole. */
export interface Template {
  readonly id: string;
  readonly name: string;
  readonly eventType: string;
  /** JSON text as it was given, compact: a template without a placeholder keeps its numbers to the last digit. */
  readonly payloadTemplate: RawJson;
  readonly defaultPriority: Priority;
  readonly defaultTtl?: number;
  readonly description?: string;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** What a back end says to create a template. */
export type TemplateDraft = Omit<Template, 'createdAt' | 'updatedAt'>;

/** What a back end says to change one: a field that is left out stays as it is. */
export type TemplateChanges = Partial<Omit<TemplateDraft, 'id'>>;

const ID = /^[A-Za-z0-9_-]{1,64}$/;
const MAX_NAME_BYTES = 256;
const MAX_EVENT_TYPE_BYTES = 128;

/** 1–64 ASCII letters, digits, `-`, `_`. No template can have any other id, so nothing needs to look for one. */
export function isTemplateId(raw: string): boolean {
  return ID.test(raw);
}

/** Throws AraError INVALID_ID or INVALID_TEMPLATE at the first rule that is broken; lengths are UTF-8 bytes. */
export function checkDraft(draft: TemplateDraft): void {
  if (!isTemplateId(draft.id)) {
    throw new AraError('INVALID_ID', "Template id must be 1-64 characters of A-Z, a-z, 0-9, '-' and '_'");
  }
  checkChanges(draft);
}

/** Throws AraError INVALID_TEMPLATE at the first rule that is broken; lengths are UTF-8 bytes. */
export function checkChanges(changes: TemplateChanges): void {
  checkLength('name', changes.name, MAX_NAME_BYTES);
  checkLength('event_type', changes.eventType, MAX_EVENT_TYPE_BYTES);
}

function checkLength(field: string, text: string | undefined, maxBytes: number): void {
  if (text !== undefined && (text === '' || Buffer.byteLength(text) > maxBytes)) {
    throw new AraError('INVALID_TEMPLATE', `Template ${field} must be 1-${maxBytes} bytes`, { details: { field } });
  }
}
