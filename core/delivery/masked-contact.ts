/** A contact as somebody may see it who needs to recognise a case, not to reach a person. */
export function maskedContact(type: string, value: string): string {
  if (type === 'email') {
    const at = value.lastIndexOf('@')
    return at > 0 ? `${value[0]}•••${value.slice(at)}` : '•••'
  }
  return type === 'phone' ? `•••${value.slice(-4)}` : '•••'
}
