import Ajv2020, { type ValidateFunction } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';

/** JSON Schema, as far as the documents of the API use it. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly format?: string;
}

export interface Reference {
  readonly $ref: string;
}

export interface Answer {
  readonly description: string;
  readonly headers?: Readonly<Record<string, Reference>>;
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}

export interface OpenApiOperation {
  readonly operationId: string;
  readonly security: readonly Readonly<Record<string, unknown>>[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<Record<string, Answer | Reference>>;
}

export interface OpenApi {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly responses: Readonly<Record<string, Answer>>;
  };
}

export interface AsyncApiMessage {
  readonly title: string;
  readonly payload: Schema;
  readonly headers?: Schema;
  readonly examples: readonly { readonly payload: unknown }[];
}

export interface AsyncApi {
  readonly channels: Readonly<Record<string, { readonly messages: Readonly<Record<string, Reference>> }>>;
  readonly operations: Readonly<
    Record<string, { readonly action: string; readonly channel: Reference; readonly messages: readonly Reference[] }>
  >;
  readonly components: {
    readonly messages: Readonly<Record<string, AsyncApiMessage>>;
    readonly schemas: Readonly<Record<string, Schema>>;
  };
}

/** What a reference of a document points at. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller knows what stands there
export function resolve<T>(document: object, { $ref }: Reference): T | undefined {
  const steps = $ref.replace(/^#\//, '').split('/');
  return steps.reduce<unknown>(
    (at, step) =>
      typeof at === 'object' && at !== null
        ? (at as Record<string, unknown>)[step.replaceAll('~1', '/').replaceAll('~0', '~')]
        : undefined,
    document,
  ) as T | undefined;
}

/** Judges values by the schemas of one document. */
export class DocumentValidator {
  readonly #ajv = addFormats(new Ajv2020({ strict: false, allErrors: false }));
  readonly #compiled = new Map<Schema, ValidateFunction>();

  readonly #components: unknown;

  /** @param closed fields that a schema does not name are wrong: for answers, of which nothing shall be left undescribed. */
  constructor(components: object, closed = false) {
    this.#components = closed ? closeObjects(components) : components;
  }

  /** What is wrong; undefined: nothing. */
  complaint(schema: Schema, value: unknown): string | undefined {
    let validate = this.#compiled.get(schema);
    if (validate === undefined) {
      validate = this.#ajv.compile({ ...schema, components: this.#components });
      this.#compiled.set(schema, validate);
    }
    return validate(value) ? undefined : this.#ajv.errorsText(validate.errors);
  }
}

/** Closes the objects that list their fields; what a reference adds to one stays open. */
function closeObjects(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(closeObjects);
  if (typeof node !== 'object' || node === null) return node;
  const entries = Object.entries(node).map(([key, value]) => [key, closeObjects(value)] as const);
  const lists = 'properties' in node && 'type' in node && !('$ref' in node) && !('additionalProperties' in node);
  return Object.fromEntries([...entries, ...(lists ? [['additionalProperties', false] as const] : [])]);
}
