import type { z } from 'zod';
import type { ErrorReason } from '../notification/ara-error';

export type Tag =
  | 'Notifications'
  | 'Templates'
  | 'Presence'
  | 'Tenants'
  | 'Statistics'
  | 'Cluster'
  | 'Live'
  | 'Service';

/** An answer of one status: JSON by schema, text of a media type, or nothing. */
export type Answer =
  | { readonly description: string; readonly schema: z.ZodType }
  | { readonly description: string; readonly mediaType: string }
  | { readonly description: string };

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly description: string;
  readonly example?: string;
}

/** One verb on one path. What all paths of one kind share (key, rate limit, body errors) is added by the document. */
export interface Operation {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With parameters in braces. */
  readonly path: string;
  readonly tag: Tag;
  readonly id: string;
  readonly summary: string;
  readonly description?: string;
  /** `key`: an API key where any is configured. `token`: a client's JWT. `metrics`: the Bearer token of METRICS_TOKEN, if set. */
  readonly access: 'public' | 'key' | 'token' | 'metrics';
  /** Works on one tenant's data, so that it must know which. */
  readonly ofOneTenant?: boolean;
  readonly parameters?: readonly Parameter[];
  readonly request?: z.ZodType;
  readonly answers: Readonly<Record<number, Answer>>;
  readonly errors?: readonly ErrorReason[];
}
