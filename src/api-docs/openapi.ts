import { bodyLimitBytes } from '../rest/access';
import { VERSION } from '../version';
import { type Json, JSON_TYPE, SchemaComponents } from './json-schema';
import type { Operation, Parameter } from './operation';
import { OPERATIONS } from './operations';
import { ResponseComponents } from './response-components';

const INTRODUCTION = `Real-time notifications: back ends send by HTTP or Redis, browsers receive by WebSocket or SSE.

* Unknown fields of requests are ignored; \`null\` stands for an optional field that is absent.
* Any error has a JSON body with \`error.code\` to branch on and \`error.message\` to read (refusals of \`/ws\` and \`/sse\` are plain text).
* A path that does not exist answers 404, a verb that it does not know 405; both, like every path under \`/api\`, only with an API key.
* \`HEAD\` is understood wherever \`GET\` is, and \`OPTIONS\` everywhere (CORS).
* What travels over WebSocket, SSE and Redis is described in \`/asyncapi.json\`.`;

const TAGS: Readonly<Record<Operation['tag'], string>> = {
  Notifications: 'Send to users, channels, everybody',
  Templates: 'Events with holes, filled when they are sent',
  Presence: 'Who listens to what',
  Tenants: 'Figures per tenant',
  Statistics: 'Figures of this node',
  Cluster: 'Nodes, and where users are connected',
  Live: 'Where clients connect',
  Service: 'Health, metrics, documents',
};

const SECURITY: Readonly<Record<Operation['access'], readonly Json[]>> = {
  public: [],
  key: [{ apiKey: [] }],
  token: [{ token: [] }, { tokenInQuery: [] }],
  metrics: [{}, { metricsToken: [] }],
};

/** The HTTP surface as an OpenAPI 3.1 document. */
export function openApiDocument(): Json {
  const schemas = new SchemaComponents();
  const responses = new ResponseComponents(schemas);
  const paths: Record<string, Record<string, Json>> = {};
  for (const operation of OPERATIONS) {
    (paths[operation.path] ??= {})[operation.method.toLowerCase()] = operationObject(operation, schemas, responses);
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Ara', version: VERSION, description: INTRODUCTION, license: { name: 'MIT', identifier: 'MIT' } },
    servers: [{ url: '/', description: 'This service' }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: schemas.schemas,
      parameters: PARAMETERS,
      headers: responses.headers,
      responses: responses.responses,
      securitySchemes: {
        apiKey: {
          type: 'apiKey',
          in: 'header',
          name: 'X-API-Key',
          description: 'API_KEY, or the key of a tenant. Open while no key is configured, which production refuses',
        },
        token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: "A client's token" },
        tokenInQuery: { type: 'apiKey', in: 'query', name: 'token', description: 'The same, for browsers' },
        metricsToken: { type: 'http', scheme: 'bearer', description: 'METRICS_TOKEN' },
      },
    },
  };
}

const PARAMETERS = {
  RequestId: {
    name: 'X-Request-Id',
    in: 'header',
    description: 'Names the request in the log; 1 to 128 letters, digits and `. : / + = @ _ -`',
    schema: { type: 'string' },
  },
  Traceparent: {
    name: 'traceparent',
    in: 'header',
    description: 'W3C trace context of the caller',
    schema: { type: 'string' },
  },
  TenantId: {
    name: 'X-Tenant-ID',
    in: 'header',
    description:
      'Read while tenants are on: 1 to 64 bytes of letters, digits, `-`, `_`, `.`. A key that is bound to a tenant implies it; ' +
      'paths that work on the data of one tenant need one or the other',
    schema: { type: 'string' },
    example: 'acme-corp',
  },
} as const;

function operationObject(operation: Operation, schemas: SchemaComponents, responses: ResponseComponents): Json {
  const { path, tag, id, summary, description, access, parameters = [], request } = operation;
  const common = access === 'key' ? (['RequestId', 'Traceparent', 'TenantId'] as const) : (['RequestId'] as const);
  return {
    tags: [tag],
    operationId: id,
    summary,
    ...(description !== undefined && { description }),
    security: SECURITY[access],
    parameters: [
      ...parameters.map(parameterObject),
      ...common.map((name) => ({ $ref: `#/components/parameters/${name}` })),
    ],
    ...(request !== undefined && {
      requestBody: {
        required: true,
        description: `At most ${bodyLimitBytes(path).toLocaleString('en')} bytes, nested at most 64 levels deep`,
        content: { [JSON_TYPE]: { schema: schemas.input(request) } },
      },
    }),
    responses: responses.of(operation),
  };
}

function parameterObject({ name, in: place, description, example }: Parameter): Json {
  return {
    name,
    in: place,
    description,
    required: place === 'path',
    schema: { type: 'string' },
    ...(example !== undefined && { example }),
  };
}
