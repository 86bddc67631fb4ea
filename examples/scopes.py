"""Whose memory is it? Scopes keep users apart; what is shared is seen by all of a tenant."""

import tempfile

from agentcl import ANY, Memory, NotFound

with tempfile.TemporaryDirectory() as folder, Memory(folder, encoder="hashing") as memory:
    memory.add("The office closes at six.", tenant="acme")
    diet = memory.add("Ada eats no nuts.", tenant="acme", user="ada")
    memory.add("Bo is on leave until May.", tenant="acme", user="bo")
    memory.add("The office closes at four.", tenant="other")

    for user in ("ada", "bo", None):
        recall = memory.search("office, nuts, leave", tenant="acme", user=user)
        print(f"{user or 'nobody in particular'} sees: {sorted(hit.text for hit in recall)}")
    everyone = memory.search("office, nuts, leave", tenant="acme", user=ANY)
    print(
        f"whoever may open all users sees {len(everyone)} records of this tenant, none of another"
    )

    try:
        memory.forget(diet.id, tenant="acme", user="bo")
    except NotFound as error:
        print(f"Bo cannot forget what is Ada's: {error}")
