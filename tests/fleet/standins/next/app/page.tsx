// A nonce is made for each answer, so no page may be static.
export const dynamic = "force-dynamic";

export default function Page() {
  return <h1>shop</h1>;
}
