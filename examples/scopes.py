"""Whose memory is it? Scopes keep users apart; what is shared is seen by all of a tenant."""

import tempfile

from agentcl import ANY, Memory, NotFound

with tempfile.TemporaryDirectory() as folder, Memory(folder, encoder="hashing") as memory:
    acme = memory.scoped(tenant="acme")
    ada, bo = acme.scoped(user="ada"), acme.scoped(user="bo")
    acme.add("The office closes at six.")
    diet = ada.add("Ada eats no nuts.")
    bo.add("Bo is on leave until May.")
    memory.add("The office closes at four.", tenant="other")

    for name, reader in (("ada", ada), ("bo", bo), ("nobody in particular", acme)):
        recall = reader.search("office, nuts, leave")
        print(f"{name} sees: {sorted(hit.text for hit in recall)}")
    everyone = acme.search("office, nuts, leave", user=ANY)
    print(
        f"whoever may open all users sees {len(everyone)} records of this tenant, none of another"
    )

    try:
        bo.forget(diet.id)
    except NotFound as error:
        print(f"Bo cannot forget what is Ada's: {error}")
