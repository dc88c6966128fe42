import type { IncomingMessage, ServerResponse } from 'node:http';
import { Controller, Get, Req, Res, UseGuards } from '@nestjs/common';
import { AraConfig } from '../config/ara-config';
import type { Connection } from '../connection/connection';
import { connectedFrame } from '../protocol/server-message';
import { ConnectGuard } from '../rate-limit/connect.guard';
import { SPAN } from '../telemetry/span-names';
import { ClientCommands, subscriptionError } from './client-commands';
import { ClientSpans } from './client-spans';
import { type Admitted, Handshake, type Refusal, refusal } from './handshake';
import { retryMs } from './retry-hint';
import { limitMessage, SessionService } from './session.service';
import { SseSink } from './sse-sink';
import { WsUpgrade } from './ws-upgrade';

const STREAM_HEADERS = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-cache, no-transform',
  // nginx holds answers back otherwise.
  'X-Accel-Buffering': 'no',
};

/** SSE streams: from the request to the end of the response. */
@Controller()
@UseGuards(ConnectGuard)
export class SseController {
  constructor(
    private readonly handshake: Handshake,
    private readonly upgrade: WsUpgrade,
    private readonly sessions: SessionService,
    private readonly commands: ClientCommands,
    private readonly config: AraConfig,
    private readonly spans: ClientSpans,
  ) {}

  @Get('sse')
  async stream(@Req() request: IncomingMessage, @Res() response: ServerResponse): Promise<void> {
    const span = this.spans.handshake(SPAN.sseConnect, request);
    try {
      await this.answer(request, response);
    } catch (error) {
      span.fail(error);
      throw error;
    } finally {
      span.end();
    }
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const result = this.handshake.admit(request, 'sse');
    if (result.kind === 'refused') refuse(response, result);
    else if (request.method === 'HEAD') response.writeHead(200, STREAM_HEADERS).end();
    else await this.open(response, result);
  }

  /** A plain request where a WebSocket is meant: it says what is missing. */
  @Get('ws')
  plain(@Req() request: IncomingMessage, @Res() response: ServerResponse): void {
    refuse(response, this.upgrade.check(request) ?? refusal(400, "Connection header did not include 'upgrade'"));
  }

  private async open(response: ServerResponse, { identity, query }: Admitted): Promise<void> {
    const { socket } = response;
    if (socket === null) {
      refuse(response, refusal(400, 'A stream cannot follow a request that is not answered yet'));
      return;
    }
    const named = new URLSearchParams(query)
      .getAll('channels')
      .flatMap((list) => list.split(','))
      .filter((name) => name !== '');
    const hearsAllChannels = this.config.sse.autoSubscribe && named.length === 0;
    const connection = this.sessions.create(identity, new SseSink(response, socket), { hearsAllChannels });
    const elsewhere = this.config.cluster.enabled
      ? await this.sessions.countElsewhere(identity.tenant, identity.user)
      : { tenant: 0, user: 0 };
    if (response.destroyed) return;
    const admission = this.sessions.admit(connection, elsewhere);
    if (admission.kind === 'refused') {
      refuse(response, refusal(429, `Connection limit exceeded: ${limitMessage(admission, identity.user)}`));
      return;
    }
    response.on('close', () => {
      this.sessions.end(connection);
    });
    socket.setNoDelay(true);
    socket.setTimeout(0);
    response.writeHead(200, STREAM_HEADERS);
    response.flushHeaders();
    await this.begin(connection, named);
  }

  private async begin(connection: Connection, channels: readonly string[]): Promise<void> {
    const { id } = connection.identity;
    // Written past the gate: it is the first event, before any replay.
    connection.sink.write(connection.sink.encode(connectedFrame(id, connection.user, retryMs())));
    const { refusals } = await this.commands.subscribe(connection, channels);
    if (refusals.length > 0) connection.send(subscriptionError(refusals));
    await this.sessions.open(connection);
  }
}

function refuse(response: ServerResponse, { status, contentType, body, headers }: Refusal): void {
  response.writeHead(status, { 'Content-Type': contentType, 'Content-Length': Buffer.byteLength(body), ...headers });
  response.end(body);
}
