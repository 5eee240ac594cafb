# CVPR 2015 recipe: averaged loss, batch 20, momentum 0.9, fixed rate, biases at twice the rate without decay.
# The rate is that of FCN-32s on VGG16 (AlexNet: 1e-3, GoogLeNet: 5e-5); FCN-16s and FCN-8s lower it by 100 each.
# A config with this schedule sets train_dataloader.batch_size=20 and decode_head.learnable_upsampling=True.
#
# The 20 images are those of all processes together; the loss is averaged over all of their pixels, so the rate stays.
# Smaller images of a batch are padded at the right and at the bottom, with ignored labels: all labelled pixels weigh
# the same. With VGG16, scores within 160 pixels of that padding differ a little from those of the image alone, whose
# own padding of 100 ends within their receptive field; from padding=245 on (backbone and geometry), they are equal.
# The reference release of FCN-AlexNet takes the images one by one instead: train_dataloader.batch_size=1,
# optim_wrapper.accumulative_counts=20 and 20 times the iterations. That needs less memory, and weighs the images alike,
# however many of their pixels are labelled.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=1e-4, momentum=0.9, weight_decay=5e-4),
    paramwise_cfg=dict(bias_lr_mult=2., bias_decay_mult=0.))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=100000, val_interval=4000)
