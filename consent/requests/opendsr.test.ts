import { expect, test } from 'vitest'
import { describeShared, readVectors } from '../../core/testing/public-vectors.ts'
import { RIGHTS } from '../../schemas/requests.ts'
import { readRequestRows } from './import.ts'
import { openDsrDiscovery, openDsrOut, openDsrReceipt, openDsrStatus, readOpenDsr } from './opendsr.ts'

const request = {
  regulation: 'gdpr',
  subject_request_id: 'r-1',
  subject_request_type: 'erasure',
  submitted_time: '2026-11-20T15:00:00Z',
  subject_identities: [{ identity_type: 'email', identity_value: 'ana@example.com', identity_format: 'raw' }],
  api_version: '2.0',
}

test('a request comes in with its own time, and its id is what makes it the same one again', () => {
  expect(readOpenDsr(request)).toMatchObject({
    ok: true,
    request: {
      right: 'erasure',
      channel: 'opendsr',
      receivedAt: '2026-11-20T15:00:00.000Z',
      reference: 'r-1',
      identifiers: [{ type: 'email', value: 'ana@example.com' }],
    },
  })
})

test('a right that OpenDSR lacks travels as an extension', () => {
  for (const right of RIGHTS)
    expect(
      readOpenDsr({ ...request, subject_request_type: 'access', extensions: { anuente: { right } } }),
    ).toMatchObject({ ok: true, request: { right } })
})

test('a fault names the field and what to send, and quotes no value', () => {
  const hashed = { identity_type: 'email', identity_value: 'a1b2c3secret', identity_format: 'sha256' }
  for (const [change, path] of [
    [{ subject_request_id: '' }, '/subject_request_id'],
    [{ subject_request_type: 'forget' }, '/subject_request_type'],
    [{ submitted_time: 'yesterday' }, '/submitted_time'],
    [{ subject_identities: [] }, '/subject_identities'],
    [{ subject_identities: [hashed] }, '/subject_identities/0/identity_format'],
    [{ api_version: '9' }, '/api_version'],
  ] as const) {
    const read = readOpenDsr({ ...request, ...change })
    expect(read).toMatchObject({ ok: false, path })
    expect(JSON.stringify(read)).not.toContain('a1b2c3secret')
  }
})

test('going out, the law is named as an extension beside the nearest word of the specification', () => {
  const out = openDsrOut({
    id: 'x',
    right: 'restriction',
    receivedAt: 0,
    identifiers: { email: 'a@b.example', cpf: '1' },
  })
  expect(out).toMatchObject({
    regulation: 'gdpr',
    subject_request_type: 'erasure',
    extensions: { anuente: { regulation: 'lgpd', right: 'restriction' } },
    subject_identities: [{ identity_type: 'email', identity_value: 'a@b.example', identity_format: 'raw' }],
  })
  expect(readOpenDsr(out)).toMatchObject({ ok: true, request: { right: 'restriction' } })
})

test('status words', () => {
  const of = (state: string) => openDsrStatus({ id: 'x', controllerId: 'c', state, dueAt: null }).request_status
  expect([of('received'), of('executing'), of('answered'), of('refused')]).toEqual([
    'pending',
    'in_progress',
    'completed',
    'cancelled',
  ])
})

describeShared('OpenDSR 2.0 examples of the specification', ['vectors/opendsr.json'], () => {
  const vectors = readVectors('opendsr.json') as {
    request: Record<string, unknown>
    response: Record<string, unknown>
    discovery_response: Record<string, unknown>
    enums: { identity_type: string[]; subject_request_type: string[] }
  }

  test('the request of the specification is read', () => {
    expect(readOpenDsr(vectors.request)).toMatchObject({
      ok: true,
      callbacks: ['https://examplecontroller.com/opendsr/callbacks'],
      request: { right: 'erasure', identifiers: [{ type: 'email', value: 'johndoe@example.com' }] },
    })
  })
  test('answers have the fields of the specification', () => {
    const receipt = openDsrReceipt({ id: 'x', controllerId: 'c', receivedAt: 0, dueAt: 1, encoded: 'e30=' })
    expect(Object.keys(receipt).sort()).toEqual(Object.keys(vectors.response).sort())
    for (const field of ['api_version', 'supported_identities', 'supported_subject_request_types'])
      expect(openDsrDiscovery()).toHaveProperty(field)
  })
  test('every identity type and request type of the enums is read', () => {
    for (const identity_type of vectors.enums.identity_type)
      expect(
        readOpenDsr({
          ...vectors.request,
          subject_identities: [{ identity_type, identity_value: 'v1', identity_format: 'raw' }],
        }).ok,
      ).toBe(true)
    for (const subject_request_type of vectors.enums.subject_request_type)
      expect(readOpenDsr({ ...vectors.request, subject_request_type }).ok).toBe(true)
  })
})

test('a CSV file in the words of either language, Brazilian dates, errors by row and column', () => {
  const csv = `direito;canal;chegada;email;nome;referência;identidade;representante;procuração
Eliminação;carta;20/11/2026;ana@example.com;Ana;C-1;document;;
acesso;telefone;2026-11-21;bia@example.com;Bia;C-2;;João;procuração nº 7
portabilidade;fax;ontem;;;;;Rui;`
  const { rows, errors } = readRequestRows(csv)
  expect(
    rows.map(({ request: { right, channel, receivedAt, assurance, reference } }) => [
      right,
      channel,
      receivedAt,
      assurance,
      reference,
    ]),
  ).toEqual([
    ['erasure', 'letter', '2026-11-20', 'document', 'C-1'],
    ['access', 'phone', '2026-11-21', 'claimed', 'C-2'],
  ])
  expect(rows[1]!.request.representative).toEqual({ name: 'João', kind: 'other', proof: 'procuração nº 7' })
  expect(errors.map(({ row, column }) => [row, column])).toEqual([
    [4, 'channel'],
    [4, 'receivedAt'],
    [4, 'email'],
    [4, 'representativeProof'],
  ])
})
