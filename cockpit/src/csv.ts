/** Tables as files that spreadsheets open: RFC 4180, with what Excel needs in each language. */
export type Cell = string | number | null

/** A cell that begins like a formula would be run by the spreadsheet; what others sent must stay text (OWASP, CSV injection). */
const FORMULA = /^[=+\-@\t\r]/

function quoted(cell: Cell, separator: string): string {
  if (cell === null) return ''
  if (typeof cell === 'number') return separator === ';' ? String(cell).replace('.', ',') : String(cell)
  const text = FORMULA.test(cell) ? `'${cell}` : cell
  return text.includes('"') || text.includes(separator) || /[\r\n]/.test(text)
    ? `"${text.replaceAll('"', '""')}"`
    : text
}

/** Excel in Portuguese separates with semicolons, since the comma is its decimal mark. */
export function csvOf(rows: readonly (readonly Cell[])[], language: 'pt-BR' | 'en'): string {
  const separator = language === 'pt-BR' ? ';' : ','
  return rows.map((row) => `${row.map((cell) => quoted(cell, separator)).join(separator)}\r\n`).join('')
}

/** Bytes that came as base64. */
export function saveBytes(name: string, type: string, base64: string): void {
  save(name, new Blob([Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))], { type }))
}

export function saveFile(name: string, type: string, content: string): void {
  save(name, new Blob([content], { type }))
}

function save(name: string, content: Blob): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(content)
  link.download = name
  link.click()
  // The browser reads the blob after this task.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}

/** @param name without ending; the date is added. */
export function saveCsv(name: string, rows: readonly (readonly Cell[])[], language: 'pt-BR' | 'en'): void {
  const day = new Date().toISOString().slice(0, 10)
  // With the mark at its start Excel reads it as UTF-8.
  saveFile(`${name}-${day}.csv`, 'text/csv;charset=utf-8', `\uFEFF${csvOf(rows, language)}`)
}
