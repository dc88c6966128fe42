import { Injectable } from '@nestjs/common';
import { asyncApiDocument } from './asyncapi';
import { messagesPage } from './messages-page';
import { openApiDocument } from './openapi';

/** The documents as text, each built when somebody first asks for it. */
@Injectable()
export class ApiDocuments {
  #openApi: string | undefined;
  #asyncApi: string | undefined;
  #messages: string | undefined;

  get openApi(): string {
    return (this.#openApi ??= JSON.stringify(openApiDocument()));
  }

  get asyncApi(): string {
    return (this.#asyncApi ??= JSON.stringify(asyncApiDocument()));
  }

  /** The AsyncAPI document as a page. */
  get messages(): string {
    return (this.#messages ??= messagesPage(asyncApiDocument()));
  }
}
