import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import canonicalize from 'canonicalize'
import { describe, expect, test } from 'vitest'
import type { LedgerEntryDraft } from '../status.ts'
import { commitment, consentEntry, pendingEntry } from './entry.ts'

const draft: LedgerEntryDraft = {
  id: '01JDENTRY',
  effect: 'status',
  purpose: 'email_marketing',
  scope: 'person',
  action: 'grant',
  status: 'granted',
  basis: 'consent',
  actor: 'subject',
  evidenceClass: 'valid',
  evidence: { method: 'checkbox', flags: [], sha256: 'ab', raw: { form: 'Quero receber', email: 'ana@example.com' } },
  notice: { id: 'cookies', version: 3, since: '2026-01-01' },
  origin: { kind: 'segment', ref: 'site' },
  occurredAt: '2026-11-24T10:00:00.000Z',
  receivedAt: '2026-11-24T10:00:01.000Z',
}
const salt = Buffer.alloc(32, 7)

describe('a pending entry', () => {
  test('shows what was decided and hides who and how', () => {
    const { entry, publicBytes, payload } = consentEntry(
      draft,
      's_abc',
      [{ type: 'email', value: 'ana@example.com' }],
      salt,
    )
    expect(entry).toEqual({
      v: 1,
      id: '01JDENTRY',
      ts: '2026-11-24T10:00:01.000Z',
      type: 'consent.grant',
      subject: 's_abc',
      purpose: 'email_marketing',
      status: 'granted',
      basis: 'consent',
      notice: { id: 'cookies', version: 3 },
      evidence_class: 'valid',
      commit: commitment(salt, payload),
      actor_kind: 'subject',
      source: 'segment/site',
      key_ids: ['s_abc.proof'],
    })
    expect(publicBytes.toString()).not.toContain('ana@example.com')
    expect(publicBytes.toString()).not.toContain('Quero')
    expect(payload.toString()).toContain('ana@example.com')
  })

  test('where privacy is strict, shows that somebody answered and not what about', () => {
    const { entry, payload } = consentEntry(draft, 's_abc', [], salt, 'strict')
    expect(entry).toEqual({
      v: 1,
      id: '01JDENTRY',
      ts: '2026-11-24T10:00:01.000Z',
      type: 'consent',
      subject: 's_abc',
      commit: commitment(salt, payload),
      actor_kind: 'subject',
      source: 'segment/site',
      key_ids: ['s_abc.proof'],
    })
    expect(JSON.parse(payload.toString())).toMatchObject({
      facts: { type: 'consent.grant', purpose: 'email_marketing', status: 'granted', basis: 'consent' },
    })
  })

  test('commits as SHA-256 over prefix, salt and canonical payload', () => {
    const { entry, payload } = pendingEntry(
      { id: '1', ts: 't', type: 'state.root', subject: 'hub', actor_kind: 'system', source: 'hub' },
      { b: 1, a: 'é' },
      salt,
    )
    expect(payload.toString()).toBe('{"a":"é","b":1}')
    expect(entry.commit).toBe(
      createHash('sha256')
        .update(Buffer.concat([Buffer.from('lgpd-commit-v1'), salt, payload]))
        .digest('hex'),
    )
  })

  test('has its own salt each time, and the same payload then another commitment', () => {
    const one = consentEntry(draft, 's', [])
    const two = consentEntry(draft, 's', [])
    expect(one.salt).toHaveLength(32)
    expect(one.payload.equals(two.payload)).toBe(true)
    expect(one.entry.commit).not.toBe(two.entry.commit)
  })

  test('no two of a thousand salts are alike, and none is empty', () => {
    const salts = new Set(Array.from({ length: 1000 }, () => consentEntry(draft, 's', []).salt.toString('hex')))
    expect(salts.size).toBe(1000)
    expect(salts.has('0'.repeat(64))).toBe(false)
  })

  test('worthless evidence is a record of that type', () => {
    expect(consentEntry({ ...draft, effect: 'record', status: 'invalid' }, 's', [], salt).entry.type).toBe(
      'consent.record',
    )
  })

  test('evidence that JSON cannot say exactly still makes an entry', () => {
    const odd = consentEntry(
      { ...draft, evidence: { ...draft.evidence, raw: { broken: '\ud800', not: Number.NaN } } },
      's',
      [],
      salt,
    )
    expect(JSON.parse(odd.payload.toString())).toMatchObject({ evidence: { raw: { broken: '\ufffd', not: null } } })
  })

  test('its bytes are canonical JSON (RFC 8785)', () => {
    const { publicBytes } = consentEntry(draft, 's', [], salt)
    expect(publicBytes.toString()).toBe(canonicalize(JSON.parse(publicBytes.toString())))
    expect(
      pendingEntry(
        { id: '1', ts: 't', type: 'x', subject: 'hub', actor_kind: 'system', source: 'hub' },
        { '\u20ac': 1e21, '1': [4.5, 1e-7, '\u000f"'] },
      ).payload.toString(),
    ).toBe('{"1":[4.5,1e-7,"\\u000f\\""],"€":1e+21}')
    const vectors = join(process.env['ANUENTE_SHARED'] ?? '../shared', 'vectors/jcs.json')
    if (existsSync(vectors)) {
      for (const { input_text, output_text } of (
        JSON.parse(readFileSync(vectors, 'utf8')) as { cases: { input_text: string; output_text: string }[] }
      ).cases) {
        expect(
          pendingEntry(
            { id: '1', ts: 't', type: 'x', subject: 'hub', actor_kind: 'system', source: 'hub' },
            JSON.parse(input_text),
          ).payload.toString(),
        ).toBe(output_text)
      }
    }
  })
})
