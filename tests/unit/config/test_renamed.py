import pytest

from pose_inpaint.config.renamed import check_renamed
from pose_inpaint.errors import InputError


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("critic=discriminator2018", "critic: is now called discriminator"),
        ("+critic.width=8,16", "critic.width: is now called discriminator.width"),
        ("share_edges=[0,1]", "share_edges: is now called mask_ratio_edges"),
        ("optim.critic_optimizer.lr=1e-4,1e-3", "optim.critic_optimizer.lr: is now called "),
        ("++guard.critic_loss=null", "guard.critic_loss: is now called guard.discriminator_loss"),
        ("schedule.phases.1.critic_steps=5", "schedule.phases.1.critic_steps: is now called "),
        ("schedule.phases=[{name: a, critic_steps: 2}]", "schedule.phases: critic_steps is now called discr"),
        ("loss.generator.hole.picture=raw", "loss.generator.hole.picture: is now called loss.generator.hole.image"),
        ("~systems.telea", "systems.telea: is now called methods.telea"),
        ("pose.joints=hidden", "pose.joints=hidden: is now called pose.joints=masked"),
        ("+experiment=slides_systems", "experiment=slides_systems: is now called experiment=slides_methods"),
    ],
)  # fmt: skip
def test_an_old_name_is_refused_with_the_new_one(override, message):
    with pytest.raises(InputError) as refused:
        check_renamed(["seed=1", override])
    assert str(refused.value).startswith(message)


def test_todays_keys_and_values_pass():
    check_renamed(
        ["discriminator=none", "data.root=/critic/pictures", "name=critic", "-m", "mask={_target_: a.b, share: 1}"]
    )
