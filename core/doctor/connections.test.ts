/** Versions of APIs that come to their end, and what is said of accounts. */
import { expect, test } from 'vitest'
import type { LoadedConfig } from '../config.ts'
import type { ConnectionStatus } from '../connections/status.ts'
import { examineAccounts, examineVersions } from './connections.ts'

const DAY = 86_400_000
const loaded = (version?: string) =>
  ({
    destinationSettings: new Map([
      [
        'ads',
        {
          id: 'ads',
          settings: version === undefined ? {} : { version },
          definition: {
            name: 'Ads',
            apiVersion: {
              version: '202610',
              docs: 'https://ads.example/versions',
              setting: 'version',
              ends: (one: string) => `${Number(one.slice(0, 4)) + 1}-${one.slice(4)}-16`,
            },
          },
        },
      ],
      ['old', { id: 'old', settings: {}, definition: { name: 'Old', apiVersion: { version: '3', docs: '' } } }],
    ]),
  }) as unknown as LoadedConfig

test('a version is told of sixty days before its end, by the setting that raises it', () => {
  const ends = Date.parse('2027-10-16')
  expect([...examineVersions(loaded(), ends - 61 * DAY)]).toEqual([])
  expect([...examineVersions(loaded(), ends - 59 * DAY)]).toMatchObject([
    { check: 'version', status: 'warn', todo: expect.stringContaining('destinations.ads.settings.version') },
  ])
  expect([...examineVersions(loaded(), ends)]).toMatchObject([
    { status: 'fail', text: expect.stringContaining('2027-10-16') },
  ])
  // What the operator wrote counts, not what the connector would use.
  expect([...examineVersions(loaded('202712'), ends)]).toEqual([])
})

test('each state of an account is one line, with what to do where somebody has to', () => {
  const account = (more: Partial<ConnectionStatus>): ConnectionStatus => ({
    destination: 'rd',
    connector: 'rdstation',
    name: 'RD',
    state: 'connected',
    problem: null,
    connectedAt: 1,
    connectedBy: 'cli',
    refreshedAt: null,
    expiresAt: null,
    refreshExpiresAt: null,
    ...more,
  })
  const said = (more: Partial<ConnectionStatus>) => [
    ...examineAccounts({ statuses: [account(more)], tokens: new Map() }),
  ]
  expect(said({})).toMatchObject([{ status: 'ok' }])
  expect(said({ problem: 'http_503' })).toMatchObject([{ status: 'warn', text: expect.stringContaining('http_503') }])
  expect(said({ state: 'expiring', refreshExpiresAt: DAY })).toMatchObject([
    { status: 'warn', text: expect.stringContaining('1970-01-02') },
  ])
  for (const state of ['never', 'needs_connection'] as const)
    expect(said({ state })).toMatchObject([{ status: 'fail', todo: expect.stringContaining('anuente connect rd') }])
})
