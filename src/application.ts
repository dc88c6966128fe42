import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Logger } from 'nestjs-pino';
import { AppModule } from './app.module';
import type { AraConfig } from './config/ara-config';
import { AraHttpAdapter } from './http/ara-http.adapter';
import { AraWsAdapter } from './realtime/ara-ws.adapter';
import { VERSION } from './version';

/** The whole service, wired and initialised, not listening yet. */
export async function createApplication(config: AraConfig): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(
    await AppModule.forRoot(config, VERSION),
    new AraHttpAdapter(),
    { bodyParser: false, bufferLogs: true, abortOnError: false },
  );
  app.useLogger(app.get(Logger));
  app.useWebSocketAdapter(new AraWsAdapter(app));
  return app;
}
