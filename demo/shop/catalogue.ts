/** What Loja Exemplo sells. Prices in reais. */
export interface Product {
  readonly id: string
  readonly name: string
  readonly category: string
  readonly price: number
}

const product = (id: string, name: string, category: string, price: number): Product => ({ id, name, category, price })

export const CATALOGUE: readonly Product[] = [
  product('cal-101', 'Tênis Corrida São João', 'Calçados', 219.9),
  product('cal-102', 'Sandália Açaí', 'Calçados', 89.9),
  product('cal-103', 'Bota Chapada Diamantina', 'Calçados', 389),
  product('ves-201', 'Vestido Floral Verão', 'Moda', 159.9),
  product('ves-202', 'Camisa Linho Maranhão', 'Moda', 129.5),
  product('ves-203', 'Calça Algodão Orgânico', 'Moda', 149.9),
  product('ves-204', 'Meia Pão de Queijo (par)', 'Moda', 19.9),
  product('cas-301', 'Cafeteira Italiana 6 Xícaras', 'Casa', 119.9),
  product('cas-302', 'Panela de Barro Goiabeiras', 'Casa', 249),
  product('cas-303', 'Rede Cearense de Algodão', 'Casa', 199.9),
  product('cas-304', 'Luminária Lençóis', 'Casa', 279.9),
  product('ele-401', 'Fone Bluetooth Maracatu', 'Eletrônicos', 349.9),
  product('ele-402', 'Caixa de Som Frevo', 'Eletrônicos', 459),
  product('ele-403', 'Relógio Inteligente Jangada', 'Eletrônicos', 699),
  product('ali-501', 'Café Especial Cerrado Mineiro 250 g', 'Mercearia', 42.9),
  product('ali-502', 'Castanha-do-Pará 500 g', 'Mercearia', 64.9),
]
