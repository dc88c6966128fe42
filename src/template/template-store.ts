import type { TenantId } from '../notification/ids';
import type { Template } from './template';

/**
 * Keeps templates per tenant. Updates are read-modify-write of the service, so `replace` compares `updatedAt`.
 * Rejects with StoreUnavailableError when the medium cannot be reached.
 */
export abstract class TemplateStore {
  abstract readonly backend: 'memory' | 'redis' | 'postgres';

  /** False, and nothing changed, when the tenant has this id already. Atomic. */
  abstract create(tenant: TenantId, template: Template): Promise<boolean>;

  abstract find(tenant: TenantId, id: string): Promise<Template | undefined>;

  /** All of the tenant's, by id. */
  abstract list(tenant: TenantId): Promise<readonly Template[]>;

  /** Puts `next` in the place of the version with `expectedUpdatedAt`; false when that version is not there any more. Atomic. */
  abstract replace(tenant: TenantId, next: Template, expectedUpdatedAt: string): Promise<boolean>;

  /** False when there was none. */
  abstract remove(tenant: TenantId, id: string): Promise<boolean>;

  abstract open(): Promise<void>;

  abstract close(): Promise<void>;
}
