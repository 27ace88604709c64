import { describe, expect, test } from 'vitest'
import { describeShared, readVectors } from '../../core/testing/public-vectors.ts'
import { rootOf, textLeafHash } from './merkle.ts'
import {
  formatCheckpoint,
  formatVerifierKey,
  openCheckpoint,
  openNote,
  parseCheckpoint,
  parseVerifierKey,
  signerKey,
  signNote,
  verifierKey,
} from './note.ts'

const NAME = 'hub.loja.example/ledger/0123456789ab'
const alice = signerKey(NAME, Buffer.alloc(32, 1))
const bob = signerKey(NAME, Buffer.alloc(32, 2))
const root = rootOf(['a', 'b'].map(textLeafHash))
const body = formatCheckpoint({ origin: NAME, size: 2, root })

describe('signed notes', () => {
  // Committed bytes: Ed25519 is deterministic, so another implementation must produce exactly these.
  test('have these bytes', () => {
    expect(formatVerifierKey(alice)).toMatchInlineSnapshot(
      `"hub.loja.example/ledger/0123456789ab+63bfc892+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"`,
    )
    expect(alice.publicKey.toString('hex')).toBe('8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c')
    expect(signNote(body, [alice])).toMatchInlineSnapshot(`
      "hub.loja.example/ledger/0123456789ab
      2
      sTeYX/SE+2ANuTEHx3sDZcgNePW0Kd7Q/Zc2HQd5mes=

      — hub.loja.example/ledger/0123456789ab Y7/IklVsoORyV39l7nnc/ZUp2HB2tETWqNfid3G7TzION41F/+dmhwaFchUHI4Hc9PrkOBTqQQCLxOR8DJh8xpdewg8=
      "
    `)
  })

  test('open with the key that signed them, and say which of several did', () => {
    const note = signNote(body, [alice, bob])
    expect(openNote(note, [bob]).signedBy.map(({ id }) => id)).toEqual([bob.id])
    expect(openNote(note, [alice, bob]).signedBy.length).toBe(2)
    expect(openCheckpoint(note, [alice])).toMatchObject({ origin: NAME, size: 2, root })
  })

  test('do not open when a byte of text, signature or key differs', () => {
    const note = signNote(body, [alice])
    expect(() => openNote(note.replace('\n2\n', '\n3\n'), [alice])).toThrow('does not fit')
    expect(() => openNote(note, [bob])).toThrow('none of the known keys')
    const end = note.length - 10
    const changed = `${note.slice(0, end)}${note[end] === 'A' ? 'B' : 'A'}${note.slice(end + 1)}`
    expect(() => openNote(changed, [alice])).toThrow()
    for (const broken of ['', 'x\n', body, note.trimEnd(), note.replace('\u2014 ', '- '), `${note}junk\n`])
      expect(() => openNote(broken, [alice])).toThrow()
  })

  test('a wrong signature of a known key refuses the note although another is right', () => {
    const both = signNote(body, [alice])
    const forged = signNote(body.replace('\n2\n', '\n3\n'), [bob]).split('\n').at(-2)
    expect(() => openNote(`${both}${forged}\n`, [alice, bob])).toThrow('does not fit')
    expect(openNote(`${both}${forged}\n`, [alice]).signedBy.length).toBe(1)
  })

  test('verifier keys are checked against their own hash', () => {
    const text = formatVerifierKey(alice)
    expect(parseVerifierKey(text)).toEqual(verifierKey(NAME, alice.publicKey))
    expect(() => parseVerifierKey(text.replace('hub.', 'hab.'))).toThrow('hash')
    for (const broken of ['', 'x', 'a+b', 'a+00000000+AA==', text.slice(0, -4)])
      expect(() => parseVerifierKey(broken)).toThrow()
    expect(() => verifierKey('two words', alice.publicKey)).toThrow('spaces')
    expect(() => verifierKey('a+b', alice.publicKey)).toThrow('plus')
  })

  test('checkpoints are three lines and nothing looser', () => {
    expect(parseCheckpoint(body)).toEqual({ origin: NAME, size: 2, root })
    for (const broken of [
      body.replace('\n2\n', '\n02\n'),
      body.replace('\n2\n', '\n-2\n'),
      body.replace('\n2\n', '\n2.0\n'),
      body.replace(/.{8}=\n$/, '=\n'),
      `\n2\n${root.toString('base64')}\n`,
      body.trimEnd(),
    ])
      expect(() => parseCheckpoint(broken)).toThrow()
  })
})

describeShared('public signed-note vectors', ['vectors/signed_note.json'], () => {
  const vectors = readVectors('signed_note.json') as {
    sign: { skey: string; vkey: string; text: string; note: string }[]
    verify: { vkey: string; note: string; ok: boolean }[]
    other_vkeys: string[]
    checkpoint_body_example: string
  }
  test('sign: byte for byte the note of the Go implementation', () => {
    for (const { skey, vkey, text, note } of vectors.sign) {
      const seed = Buffer.from(skey.split('+').slice(4).join('+'), 'base64').subarray(1)
      const signer = signerKey('PeterNeumann', seed)
      expect(formatVerifierKey(signer)).toBe(vkey)
      expect(signNote(text, [signer])).toBe(note)
    }
  })
  test('verify', () => {
    for (const { vkey, note } of vectors.verify)
      expect(openNote(note, [parseVerifierKey(vkey)]).signedBy.length).toBe(1)
    for (const vkey of vectors.other_vkeys) {
      expect(formatVerifierKey(parseVerifierKey(vkey))).toBe(vkey)
      expect(() => openNote(vectors.verify[0]!.note, [parseVerifierKey(vkey)])).toThrow('none of the known keys')
    }
  })
  test('a checkpoint', () => {
    expect(formatCheckpoint(parseCheckpoint(vectors.checkpoint_body_example))).toBe(vectors.checkpoint_body_example)
    expect(parseCheckpoint(vectors.checkpoint_body_example).size).toBe(20_852_163)
  })
})
