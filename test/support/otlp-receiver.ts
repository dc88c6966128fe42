import { join } from 'node:path';
import {
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServiceClientConstructor,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

interface KeyValue {
  readonly key: string;
  readonly value: Readonly<Record<string, string | number | boolean>>;
}

interface WireSpan {
  readonly trace_id: Buffer;
  readonly span_id: Buffer;
  readonly parent_span_id: Buffer;
  readonly name: string;
  readonly kind: number;
  readonly start_time_unix_nano: string;
  readonly end_time_unix_nano: string;
  readonly attributes: readonly KeyValue[];
  readonly links: readonly { readonly trace_id: Buffer; readonly span_id: Buffer }[];
  readonly status: { readonly code: number } | null;
}

interface ExportRequest {
  readonly resource_spans: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] };
    readonly scope_spans: readonly { readonly spans: readonly WireSpan[] }[];
  }[];
}

/** A span as a collector sees it; ids in hex, `parentId` empty for a root. */
export interface ReceivedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string;
  /** 1 internal, 2 server. */
  readonly kind: number;
  readonly durationMs: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links: readonly string[];
  readonly failed: boolean;
  readonly resource: Readonly<Record<string, unknown>>;
}

const DEFINITION = loadSync(join(__dirname, 'otlp-trace.proto'), {
  keepCase: true,
  longs: String,
  defaults: true,
});

/** A collector for tests: takes spans over OTLP/gRPC and remembers them. */
export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];
  /** A collector that hangs takes everything and answers nothing. */
  hangs = false;

  private constructor(
    private readonly server: Server,
    readonly endpoint: string,
  ) {}

  static async start(): Promise<OtlpReceiver> {
    const server = new Server();
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
        if (error) reject(error);
        else resolve(bound);
      });
    });
    const receiver = new OtlpReceiver(server, `http://127.0.0.1:${port}`);
    const service = loadPackageDefinition(DEFINITION) as never as {
      opentelemetry: { proto: { collector: { trace: { v1: { TraceService: ServiceClientConstructor } } } } };
    };
    server.addService(service.opentelemetry.proto.collector.trace.v1.TraceService.service, {
      Export: (call: ServerUnaryCall<ExportRequest, object>, answer: sendUnaryData<object>) => {
        receiver.take(call.request);
        if (!receiver.hangs) answer(null, {});
      },
    });
    return receiver;
  }

  /** All spans of that name, in the order of their ends. */
  named(name: string): readonly ReceivedSpan[] {
    return this.spans.filter((span) => span.name === name);
  }

  stop(): void {
    this.server.forceShutdown();
  }

  private take(request: ExportRequest): void {
    for (const { resource, scope_spans } of request.resource_spans) {
      for (const span of scope_spans.flatMap(({ spans }) => spans)) {
        this.spans.push(received(span, attributesOf(resource.attributes)));
      }
    }
  }
}

function received(span: WireSpan, resource: Record<string, unknown>): ReceivedSpan {
  return {
    name: span.name,
    traceId: span.trace_id.toString('hex'),
    spanId: span.span_id.toString('hex'),
    parentId: span.parent_span_id.toString('hex'),
    kind: span.kind,
    durationMs: Number(BigInt(span.end_time_unix_nano) - BigInt(span.start_time_unix_nano)) / 1e6,
    attributes: attributesOf(span.attributes),
    links: span.links.map((link) => `${link.trace_id.toString('hex')}-${link.span_id.toString('hex')}`),
    failed: span.status?.code === 2,
    resource,
  };
}

function attributesOf(pairs: readonly KeyValue[]): Record<string, unknown> {
  return Object.fromEntries(
    pairs.map(({ key, value }) => {
      const { string_value, bool_value, int_value, double_value } = value;
      return [key, string_value ?? bool_value ?? (int_value === undefined ? double_value : Number(int_value))];
    }),
  );
}
