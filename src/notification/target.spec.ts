import { channel, user } from '../../test/support/engine';
import { admits, type AudienceMember, isStorable, type Target, TARGET_KINDS, usersOf } from './target';

function member(name: string, roles: readonly string[] = [], channels: readonly string[] = []): AudienceMember {
  return { user: user(name), roles, hears: (asked) => channels.includes(asked) };
}

const members = [member('a', ['ops', 'dev'], ['news']), member('b', ['dev'], ['news', 'sport']), member('c')];

it.each([
  [undefined, ['a', 'b', 'c']],
  [{ type: 'All' }, ['a', 'b', 'c']],
  [{ type: 'Roles', value: ['ops', 'none'] }, ['a']],
  [{ type: 'Roles', value: ['dev', 'ops'] }, ['a', 'b']],
  [{ type: 'Roles', value: [] }, []],
  [{ type: 'Users', value: ['c', 'a', 'nobody'] }, ['a', 'c']],
  [{ type: 'Users', value: [] }, []],
  [{ type: 'Channels', value: ['sport', 'sport'] }, ['b']],
  [{ type: 'Channels', value: ['sport', 'news'] }, ['a', 'b']],
  [{ type: 'Channels', value: [] }, []],
] as const)('the audience %j admits %j', (audience, expected) => {
  expect(members.filter(admits(audience)).map((each) => each.user)).toEqual(expected);
});

it('keeps for users and for nobody else', () => {
  const targets: readonly Target[] = [
    { kind: 'user', user: user('a') },
    { kind: 'users', users: ['a', 'b'].map(user) },
    { kind: 'broadcast' },
    { kind: 'channel', channel: channel('news') },
    { kind: 'channels', channels: [channel('news')] },
  ];
  expect(targets.map(({ kind }) => kind)).toEqual([...TARGET_KINDS]);
  expect(targets.filter(isStorable).map(usersOf)).toEqual([['a'], ['a', 'b']]);
});
