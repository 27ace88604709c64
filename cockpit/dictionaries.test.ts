import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { en } from './src/i18n/en.ts'
import { ptBR } from './src/i18n/pt-BR.ts'

function flatten(value: object, before = ''): Map<string, string> {
  const flat = new Map<string, string>()
  for (const [key, inner] of Object.entries(value)) {
    if (typeof inner === 'string') flat.set(before + key, inner)
    else for (const [path, text] of flatten(inner, `${before}${key}.`)) flat.set(path, text)
  }
  return flat
}

const pt = flatten(ptBR)
const english = flatten(en)
const holes = (text: string) => [...text.matchAll(/\{\{(\w+)\}\}/g)].map((match) => match[1]).sort()

describe('dictionaries', () => {
  test('both languages say the same things', () => {
    expect([...english.keys()].sort()).toEqual([...pt.keys()].sort())
  })

  test('a sentence takes the same values in both', () => {
    for (const [key, text] of pt) expect([key, holes(english.get(key)!)]).toEqual([key, holes(text)])
  })

  test('nothing is empty, doubled or left with spaces at its ends', () => {
    for (const [key, text] of [...pt, ...english]) {
      if (key.endsWith('missed_zero')) continue
      expect([key, text]).toEqual([key, text.trim()])
      expect([key, text.length > 0 && !/ {2}/.test(text)]).toEqual([key, true])
    }
  })

  test('Portuguese keeps its accents', () => {
    // Words that are only right with an accent, as they look when it is forgotten.
    const bare =
      /\b(nao|voce|sera|ja|ate|so|esta pronto|configuracao|configuracoes|situacao|regiao|finalidade s|acao|acoes|proprio|codigo|inicio|duvida|usuario|historico|ultima|ultimo|periodo|horarios?|sessao|sessoes|pagina|conteudo|endereco|tambem|alguem|ninguem|producao|decisao|permissao|integracao|administracao|versao|condicoes|portugues|previsao)\b/i
    for (const [key, text] of pt) expect([key, bare.exec(text)?.[0]]).toEqual([key, undefined])
  })

  test('every key that a page asks for exists', () => {
    const folder = fileURLToPath(new URL('./src/', import.meta.url))
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => /\.tsx?$/.test(path))
    const asked = files.flatMap((path) =>
      [...readFileSync(folder + path, 'utf8').matchAll(/\bt\(\s*'([\w.-]+)'/g)].map((match) => match[1]!),
    )
    expect(asked.length).toBeGreaterThan(150)
    const known = (key: string) => pt.has(key) || pt.has(`${key}_other`)
    expect([...new Set(asked.filter((key) => !known(key)))]).toEqual([])
  })
})
