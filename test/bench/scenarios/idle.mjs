/** T13: what connections cost that nobody writes to. */
const SETTLE_MS = 3000;

export async function idle(stage) {
  const clients = 10_000;
  const ara = await stage.ara();
  await stage.listeners(ara, 200, { first: clients });
  const { rssBytes, cpuMicros } = ara;
  await stage.listeners(ara, clients);
  const cpuSeconds = (ara.cpuMicros - cpuMicros) / 1e6;
  stage.progress(`idle: ${clients} clients connected`);
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const kib = (ara.rssBytes - rssBytes) / 1024 / clients;
  await stage.end();
  return [
    { id: 'T13', what: `${clients} idle connections: KiB RSS each`, value: kib, atMost: 8 },
    {
      id: 'T13',
      what: `connecting ${clients} with a JWT: s CPU`,
      value: cpuSeconds,
      atMost: 1.2,
      isAbsolute: true,
    },
  ];
}
