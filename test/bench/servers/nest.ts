/**
 * What Nest's documentation teaches: a gateway on WsAdapter that sends JSON to each client, and routes on Express with a
 * guard, a ValidationPipe, the throttler and an interceptor. `GET /stock` has the guard only.
 */
import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import {
  Body,
  type CallHandler,
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  HttpCode,
  Injectable,
  Module,
  type NestInterceptor,
  Post,
  UnauthorizedException,
  UseGuards,
  UseInterceptors,
  ValidationPipe,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { WsAdapter } from '@nestjs/platform-ws';
import { ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import { type OnGatewayConnection, type OnGatewayDisconnect, WebSocketGateway } from '@nestjs/websockets';
import { IsDefined, IsIn, IsInt, IsOptional, IsString, Min } from 'class-validator';
import { type Observable, tap } from 'rxjs';
import { type WebSocket } from 'ws';

interface Workload {
  readonly API_KEY: string;
  readonly EVENT: object;
  notification(id: string, event: object): object;
  sendAnswer(id: string, deliveredTo: number): object;
}

const PRIORITIES = ['Critical', 'High', 'Normal', 'Low'];
const workload = createRequire(__filename)('../workload.cjs') as Workload;

class SendRequest {
  @IsString() target_user_id!: string;
  @IsString() event_type!: string;
  @IsDefined() payload!: unknown;
  @IsOptional() @IsIn(PRIORITIES) priority?: string;
  @IsOptional() @IsInt() @Min(0) ttl?: number;
  @IsOptional() @IsString() correlation_id?: string;
}

@WebSocketGateway({ path: '/ws' })
class Gateway implements OnGatewayConnection<WebSocket>, OnGatewayDisconnect<WebSocket> {
  readonly clients = new Map<WebSocket, string>();
  readonly users = new Map<string, Set<WebSocket>>();

  handleConnection(client: WebSocket, request: IncomingMessage): void {
    const user = new URL(request.url ?? '', 'http://localhost').searchParams.get('user') ?? '';
    this.clients.set(client, user);
    this.users.set(user, (this.users.get(user) ?? new Set()).add(client));
  }

  handleDisconnect(client: WebSocket): void {
    this.users.get(this.clients.get(client) ?? '')?.delete(client);
    this.clients.delete(client);
  }

  broadcast(): void {
    const notification = workload.notification(randomUUID(), workload.EVENT);
    for (const client of this.clients.keys()) client.send(JSON.stringify(notification));
  }

  send(request: SendRequest): object {
    const id = randomUUID();
    const clients = this.users.get(request.target_user_id) ?? new Set();
    for (const client of clients) client.send(JSON.stringify(workload.notification(id, request)));
    return workload.sendAnswer(id, clients.size);
  }
}

@Injectable()
class ApiKeyGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<IncomingMessage>();
    if (headers['x-api-key'] !== workload.API_KEY) throw new UnauthorizedException();
    return true;
  }
}

@Injectable()
class TimingInterceptor implements NestInterceptor {
  totalMs = 0;

  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const startedAt = performance.now();
    return next.handle().pipe(tap(() => (this.totalMs += performance.now() - startedAt)));
  }
}

@Controller()
class Routes {
  constructor(private readonly gateway: Gateway) {}

  @Post('api/v1/notifications/send')
  @HttpCode(200)
  @UseGuards(ThrottlerGuard, ApiKeyGuard)
  @UseInterceptors(TimingInterceptor)
  send(@Body() body: SendRequest): object {
    return this.gateway.send(body);
  }

  @Get('stock')
  @UseGuards(ApiKeyGuard)
  stock(): object {
    return { channels: [], total: 0 };
  }
}

@Module({
  imports: [ThrottlerModule.forRoot([{ ttl: 60_000, limit: 1_000_000_000 }])],
  controllers: [Routes],
  providers: [Gateway],
})
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule, { logger: false });
  app.useGlobalPipes(new ValidationPipe({ transform: true, whitelist: true }));
  app.useWebSocketAdapter(new WsAdapter(app));
  const server = (await app.listen(0, '127.0.0.1')) as { address(): AddressInfo };
  process.on('message', ({ times }: { times: number }) => {
    for (let i = 0; i < times; i++) app.get(Gateway).broadcast();
    process.send?.({});
  });
  process.send?.({ port: server.address().port });
}

void main();
