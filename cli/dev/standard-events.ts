/** Events of a shop as a Segment-spec SDK sends them: where a new connector begins. */
const ANA = { userId: 'u1', traits: { email: 'ana@example.com', name: 'Ana Souza', phone: '+5511987654321' } }
const AT = '2026-01-15T12:00:00.000Z'
const PRODUCT = {
  product_id: 'p1',
  sku: 'TENIS-42',
  name: 'Tênis Corrida 42',
  category: 'Calçados',
  price: 219.9,
  quantity: 1,
}

export const STANDARD_EVENTS: readonly { readonly title: string; readonly event: Readonly<Record<string, unknown>> }[] =
  [
    { title: 'Identify', event: { type: 'identify', ...ANA, timestamp: AT, messageId: 'm1' } },
    {
      title: 'Product Added',
      event: {
        type: 'track',
        event: 'Product Added',
        ...ANA,
        timestamp: AT,
        messageId: 'm2',
        properties: { ...PRODUCT, cart_id: 'c1', currency: 'BRL' },
      },
    },
    {
      title: 'Order Completed',
      event: {
        type: 'track',
        event: 'Order Completed',
        ...ANA,
        timestamp: AT,
        messageId: 'm3',
        properties: {
          order_id: '1001',
          total: 239.8,
          revenue: 219.9,
          shipping: 19.9,
          currency: 'BRL',
          products: [PRODUCT],
        },
      },
    },
    {
      title: 'Page',
      event: {
        type: 'page',
        name: 'Calçados',
        ...ANA,
        timestamp: AT,
        messageId: 'm4',
        properties: { url: 'https://loja.example/calcados', title: 'Calçados' },
      },
    },
    {
      title: 'Ticket Opened',
      event: {
        type: 'track',
        event: 'Ticket Opened',
        ...ANA,
        timestamp: AT,
        messageId: 'm5',
        properties: { ticket_id: 't1', subject: 'Troca' },
      },
    },
  ]
