import { readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { Controller, Get, Param, Res } from '@nestjs/common';
import { AraError } from '../notification/ara-error';
import { ApiDocuments } from './api-documents';
import { htmlPage } from './html';
import { JSON_TYPE } from './json-schema';

const HTML = 'text/html; charset=utf-8';
const SCRIPT = 'text/javascript; charset=utf-8';

const BROWSER_PAGE = htmlPage(
  '<link rel="stylesheet" href="/docs/swagger-ui.css">',
  '<div id="swagger-ui"></div><script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script>',
);

/** A file of its own, because the security policy forbids scripts within the page. Nothing leaves the service. */
const START_SCRIPT = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#swagger-ui', deepLinking: true, validatorUrl: null });\n`;

/** The files of the API browser that the page needs, served from its npm package. */
const BROWSER_FILES: ReadonlyMap<string, string> = new Map([
  ['swagger-ui.css', 'text/css; charset=utf-8'],
  ['swagger-ui-bundle.js', SCRIPT],
  ['favicon-32x32.png', 'image/png'],
]);

/** The API's documents, and pages to browse them without a network. */
@Controller()
export class ApiDocsController {
  constructor(private readonly documents: ApiDocuments) {}

  @Get('openapi.json')
  openApi(@Res() response: ServerResponse): void {
    send(response, JSON_TYPE, this.documents.openApi);
  }

  @Get('asyncapi.json')
  asyncApi(@Res() response: ServerResponse): void {
    send(response, JSON_TYPE, this.documents.asyncApi);
  }

  @Get('docs')
  browse(@Res() response: ServerResponse): void {
    send(response, HTML, BROWSER_PAGE);
  }

  @Get('docs/:file')
  async part(@Param('file') file: string, @Res() response: ServerResponse): Promise<void> {
    if (file === 'messages') {
      send(response, HTML, this.documents.messages);
      return;
    }
    if (file === 'start.js') {
      send(response, SCRIPT, START_SCRIPT);
      return;
    }
    const type = BROWSER_FILES.get(file);
    if (type === undefined) throw new AraError('NOT_FOUND', 'No such route');
    send(response, type, await readFile(require.resolve(`swagger-ui-dist/${file}`)));
  }
}

function send(response: ServerResponse, type: string, body: string | Buffer): void {
  response.writeHead(200, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) }).end(body);
}
