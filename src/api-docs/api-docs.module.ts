import { type DynamicModule, Module } from '@nestjs/common';
import type { AraConfig } from '../config/ara-config';
import { ApiDocsController } from './api-docs.controller';
import { ApiDocuments } from './api-documents';

/** Documents of the API. Where they are not wanted, their paths do not exist. */
@Module({})
export class ApiDocsModule {
  static forRoot({ server }: AraConfig): DynamicModule {
    if (!server.docsEnabled) return { module: ApiDocsModule };
    return { module: ApiDocsModule, controllers: [ApiDocsController], providers: [ApiDocuments] };
  }
}
