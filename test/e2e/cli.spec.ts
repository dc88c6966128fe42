import { spawn, type ChildProcess } from 'node:child_process';
import { AraProcess, type Env } from '../support/ara-process';
import { argumentsOf } from '../support/entry';
import { PostgresServer } from '../support/postgres-server';
import { until } from '../support/until';

// The command line as a user has it: processes that know the service by its configuration alone.
describe('ara', () => {
  let ara: AraProcess;

  beforeAll(async () => {
    ara = await AraProcess.start();
  });

  afterAll(() => ara.stop());

  function run(
    args: string[],
    env: Env = {},
  ): {
    child: ChildProcess;
    errors: () => string;
    result: Promise<{ code: number; lines: string[] }>;
  } {
    const child = spawn(process.execPath, [...argumentsOf('cli/main'), ...args], {
      env: { ...ara.env, ...env },
      cwd: ara.cwd,
    });
    let [output, errors] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    const result = new Promise<{ code: number; lines: string[] }>((done) => {
      child.on('close', (code) => {
        done({ code: code ?? -1, lines: output.split('\n').slice(0, -1) });
      });
    });
    return { child, errors: () => errors, result };
  }

  it.each([[[]], [['--sse']]])('listen %j hears what send sends', async (transport) => {
    const listening = run(['listen', '--user', 'u', '--json', ...transport]);
    await until('listening', () => listening.errors().includes('listening'));
    const sending = run(['send', 'user', 'u', '--event', 'e', '--payload', '{"n":9007199254740993}', '--json']);
    const sent = await sending.result;
    expect({ ...sent, errors: sending.errors() }).toMatchObject({ code: 0, errors: '' });
    const answer = JSON.parse(sent.lines[0]!) as { notification_id: string; delivered_to: number };
    expect(answer.delivered_to).toBe(1);

    listening.child.kill('SIGINT');
    const { code, lines } = await listening.result;
    expect(code).toBe(0);
    expect(lines.at(-1)).toContain(`"id":"${answer.notification_id}"`);
    expect(lines.at(-1)).toContain('"payload":{"n":9007199254740993}');
  });

  it('token makes what the service accepts, config check agrees with it', async () => {
    const token = (await run(['token', '--user', 'u']).result).lines[0]!;
    const listening = run(['listen', '--token', token]);
    await until('listening', () => listening.errors().includes('listening'));
    listening.child.kill('SIGTERM');
    expect((await listening.result).code).toBe(0);
    expect((await run(['config', 'check']).result).code).toBe(0);
  });

  it('send to nobody fails, a wrong token ends listening', async () => {
    expect((await run(['send', 'user', 'nobody', '--event', 'e', '--payload', '1']).result).code).toBe(1);
    expect((await run(['listen', '--token', 'forged']).result).code).toBe(1);
  });

  it('migrate shows what is missing, applies it once, and shows it again', async () => {
    const postgres = await PostgresServer.start();
    const migrate = (...args: string[]): Promise<{ code: number; lines: string[] }> =>
      run(['migrate', ...args], { DATABASE_URL: postgres.url }).result;
    try {
      const before = await migrate('status');
      expect(before.code).toBe(1);
      expect(before.lines.every((line) => line.endsWith(': missing'))).toBe(true);
      expect((await migrate('up', '--json')).lines).toEqual([
        JSON.stringify(before.lines.map((line) => line.split(':')[0])),
      ]);
      expect(await migrate('up')).toEqual({ code: 0, lines: ['Nothing to do.'] });
      expect(await migrate('status', '--json')).toMatchObject({
        code: 0,
        lines: [expect.not.stringContaining('null') as string],
      });
    } finally {
      await postgres.stop();
    }
  });
});
