import { type AddressInfo, Server } from 'node:net';
import { Controller, Get, Module, Req, Res, type NestApplicationOptions } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { AraHttpAdapter } from './ara-http.adapter';
import { reply } from './reply';

const prototypes: unknown[] = [];
const prototypesOf = (request: object, response: object): void => {
  prototypes.push(Object.getPrototypeOf(request), Object.getPrototypeOf(response));
};

@Controller('thing')
class ThingController {
  @Get()
  get(@Req() request: object, @Res({ passthrough: true }) response: object): { ok: true } {
    prototypesOf(request, response);
    return { ok: true };
  }
}

@Module({ controllers: [ThingController] })
class ThingModule {}

describe('the HTTP adapter', () => {
  const adapter = new AraHttpAdapter();
  let app: NestExpressApplication;
  let url: string;
  let listened: unknown;

  beforeAll(async () => {
    const module = await Test.createTestingModule({ imports: [ThingModule] }).compile();
    app = module.createNestApplication<NestExpressApplication>(adapter);
    const listen = jest.spyOn(Server.prototype, 'listen');
    await app.listen(0, '127.0.0.1');
    [listened] = listen.mock.calls[0] as unknown[];
    listen.mockRestore();
    url = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
  });
  afterAll(() => app.close());

  it('asks for a queue that holds a crowd of clients which all come back at once', () => {
    expect(listened).toEqual({ port: 0, host: '127.0.0.1', backlog: 4096 });
  });

  it('lets nobody in before there is a front door', async () => {
    expect((await fetch(`${url}/thing`)).status).toBe(503);
  });

  it('gives requests and responses the prototypes from birth that Express would set', async () => {
    adapter.setFrontDoor((request, response, express) => {
      prototypesOf(request, response);
      express();
    });
    const answer = await fetch(`${url}/thing`);
    expect(await answer.json()).toEqual({ ok: true });
    const { request, response } = adapter.getInstance<{ request: object; response: object }>();
    expect(prototypes).toEqual([request, response, request, response]);
    for (const [index, prototype] of [request, response, request, response].entries()) {
      expect(prototypes[index]).toBe(prototype);
    }
    // Both Express's own methods and Node's are there.
    expect(request).toHaveProperty('accepts');
    expect(request).toHaveProperty('setTimeout');
    expect(response).toHaveProperty('json');
    expect(response).toHaveProperty('writeHead');
  });

  it('matches paths exactly and knows the routes', async () => {
    expect((await fetch(`${url}/thing/`)).status).toBe(404);
    expect((await fetch(`${url}/Thing`)).status).toBe(404);
    expect(adapter.routes.routes.map(({ pattern, methods }) => [pattern, ...methods])).toEqual([
      ['/thing', 'GET', 'HEAD'],
    ]);
  });

  it('speaks plain HTTP only', () => {
    const options: unknown = { httpsOptions: {} };
    expect(() => {
      new AraHttpAdapter().initHttpServer(options as NestApplicationOptions);
    }).toThrow(/plain HTTP/);
  });

  it('says from the first moment of a shutdown that an answer is the last one on its connection', async () => {
    adapter.setFrontDoor((request, response, express) => {
      if (request.url === '/fast') reply(response, 200, ['X-Door', 'fast'], '{}');
      else express();
    });
    const connectionOf = async (path: string): Promise<string | null> =>
      (await fetch(url + path)).headers.get('connection');
    expect(await connectionOf('/thing')).toBe('keep-alive');
    adapter.drain();
    expect(await connectionOf('/thing')).toBe('close');
    expect(await connectionOf('/fast')).toBe('close');
  });
});
