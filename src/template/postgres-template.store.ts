import { Injectable } from '@nestjs/common';
import type { TenantId } from '../notification/ids';
import { PostgresService } from '../postgres/postgres.service';
import type { Template } from './template';
import { TemplateStore } from './template-store';

/** Templates in PostgreSQL, each as the JSON text of the whole. */
@Injectable()
export class PostgresTemplateStore extends TemplateStore {
  readonly backend = 'postgres';

  constructor(private readonly postgres: PostgresService) {
    super();
  }

  create(tenant: TenantId, template: Template): Promise<boolean> {
    return this.#changes(
      'template_create',
      `INSERT INTO ara.templates (tenant_id, id, updated_at, body) VALUES ($1, $2, $3, $4)
       ON CONFLICT DO NOTHING RETURNING true`,
      [tenant, template.id, template.updatedAt, JSON.stringify(template)],
    );
  }

  async find(tenant: TenantId, id: string): Promise<Template | undefined> {
    const [found] = await this.#select('template_find', 'WHERE tenant_id = $1 AND id = $2', [tenant, id]);
    return found;
  }

  list(tenant: TenantId): Promise<readonly Template[]> {
    return this.#select('template_list', 'WHERE tenant_id = $1 ORDER BY id', [tenant]);
  }

  replace(tenant: TenantId, next: Template, expectedUpdatedAt: string): Promise<boolean> {
    return this.#changes(
      'template_replace',
      `UPDATE ara.templates SET updated_at = $3, body = $4
       WHERE tenant_id = $1 AND id = $2 AND updated_at = $5 RETURNING true`,
      [tenant, next.id, next.updatedAt, JSON.stringify(next), expectedUpdatedAt],
    );
  }

  remove(tenant: TenantId, id: string): Promise<boolean> {
    return this.#changes(
      'template_remove',
      'DELETE FROM ara.templates WHERE tenant_id = $1 AND id = $2 RETURNING true',
      [tenant, id],
    );
  }

  open(): Promise<void> {
    return this.postgres.open();
  }

  close(): Promise<void> {
    // The connections are PostgresService's.
    return Promise.resolve();
  }

  async #changes(operation: string, text: string, values: readonly unknown[]): Promise<boolean> {
    return (await this.postgres.run(operation, text, values)).length > 0;
  }

  async #select(operation: string, condition: string, values: readonly unknown[]): Promise<Template[]> {
    const rows = await this.postgres.run<{ body: string }>(
      operation,
      `SELECT body FROM ara.templates ${condition}`,
      values,
    );
    return rows.map(({ body }) => JSON.parse(body) as Template);
  }
}
